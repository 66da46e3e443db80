"""The module where everything that may be given is given."""

import json

from account import (
    ALARMS,
    METRIC_ALARMS,
    REGIONS,
    Example,
    bundle,
    common_resources,
    dashboard,
    has,
    role_policies,
    same,
    variables,
)

GIVEN = """
provider "aws" {{
  region            = "us-east-1"
  s3_use_path_style = true
}}

resource "aws_kms_key" "this" {{
  description = "repoint"
}}

resource "aws_sns_topic" "look" {{
  name = "look"
}}

resource "aws_sns_topic" "alerts" {{
  name = "repoint-alerts"
}}

resource "aws_sqs_queue" "failures" {{
  name = "failures"
}}

resource "aws_dynamodb_table" "state" {{
  name         = "repoint"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "scope"

  attribute {{
    name = "scope"
    type = "S"
  }}
}}

resource "aws_iam_policy" "boundary" {{
  name   = "boundary"
  policy = jsonencode({{ Version = "2012-10-17", Statement = [{{ Effect = "Allow", Action = "*", Resource = "*" }}] }})
}}

resource "aws_s3_bucket" "code" {{
  bucket = "code"
}}

resource "aws_s3_object" "zip" {{
  bucket = aws_s3_bucket.code.bucket
  key    = "repoint/1.zip"
  source = "{zip}"
}}

module "warm" {{
  source   = "../terraform/target-group"
  name     = "warm"
  vpc_id   = "{vpc_id}"
  strategy = "warm"
  role     = "reader"
}}

resource "aws_security_group" "balancer" {{
  name   = "balancer"
  vpc_id = "{vpc_id}"
}}

resource "aws_lb" "this" {{
  name               = "pg"
  load_balancer_type = "network"
  internal           = true
  subnets            = ["{subnet_id}", "{other_subnet_id}"]
  security_groups    = [aws_security_group.balancer.id]
}}

module "haproxy" {{
  source      = "../terraform/haproxy"
  name        = "pair"
  scope       = "batman"
  members     = {{ pg1 = "10.0.0.11" }}
  alert_topic = {{ arn = aws_sns_topic.alerts.arn }}
  image_id    = "ami-12345678"
  package     = {{ url = "https://example.com/repoint.deb", sha256 = "{sha256}" }}
  vpc_id      = "{vpc_id}"
  subnet_ids  = ["{subnet_id}", "{other_subnet_id}"]

  load_balancer_arn               = aws_lb.this.arn
  load_balancer_security_group_id = aws_security_group.balancer.id
  member_cidr_blocks              = ["10.0.0.0/16"]
}}

module "repoint" {{
  source               = "../terraform"
  zip_in_s3            = {{ bucket = aws_s3_object.zip.bucket, key = aws_s3_object.zip.key }}
  bundle               = file("bundle.json")
  environment          = {{ HTTPS_PROXY = "http://proxy:3128" }}
  role_path            = "/service/"
  permissions_boundary = {{ arn = aws_iam_policy.boundary.arn }}
  callback_batches     = {{ seconds = 5, at_once = 3 }}
  kms_key              = {{ arn = aws_kms_key.this.arn }}
  trigger_topic        = {{ arn = aws_sns_topic.look.arn }}
  alert_topic          = {{ arn = aws_sns_topic.alerts.arn }}
  failure_queue        = {{ arn = aws_sqs_queue.failures.arn }}
  table                = {{ name = aws_dynamodb_table.state.name }}
  architecture         = "arm64"
  log_filter           = "debug"
  reserved_concurrency = 1
  no_success_minutes   = 0
  dashboard_enabled    = true

  metric_alarms_enabled = true
  schedules            = {{ batman = {{ expression = "rate(5 minutes)", clusters = ["batman"], dry_run = true }} }}

  vpc = {{
    id                  = "{vpc_id}"
    subnet_ids          = ["{subnet_id}"]
    patroni_cidr_blocks = ["10.0.0.0/24", "10.0.1.0/24"]
  }}

  endpoints = {{
    services        = ["elasticloadbalancing", "sns", "route53", "ec2", "logs", "sqs", "dynamodb"]
    route_table_ids = ["{route_table_id}"]
  }}
}}
"""


def may_only_publish(world, role, topic):
    """The HAProxies' role: what `repoint iam` prints of their configuration, and only EC2 may assume it."""
    statement = {"Sid": "PublishAlerts", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": [topic]}
    same(role_policies(world, role), {"repoint": {"Version": "2012-10-17", "Statement": [statement]}})
    (trusted,) = world.aws("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    same(trusted["Principal"], {"Service": "ec2.amazonaws.com"})
    (profile,) = world.aws("iam").list_instance_profiles()["InstanceProfiles"]
    same([it["RoleName"] for it in profile["Roles"]], [role])
    (template,) = world.aws("ec2").describe_launch_templates()["LaunchTemplates"]
    versions = world.aws("ec2").describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])
    same(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["IamInstanceProfile"]["Arn"], profile["Arn"])


def given(world):
    """Everything that may be given is, and is made in the same apply, so that no ARN is known when planning."""
    account = world.aws("sts").get_caller_identity()["Account"]
    around = common_resources(world, REGIONS[0])
    tables = world.aws("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [around["vpc_id"]]}])
    names = {
        "vpc_id": around["vpc_id"],
        "subnet_id": around["subnet_ids"][0],
        "other_subnet_id": around["subnet_ids"][1],
        "sha256": 32 * "0f",
        "route_table_id": tables["RouteTables"][0]["RouteTableId"],
        "zip": world.zip,
    }
    before = world.everything()
    root = world.folder / "root"
    root.mkdir()
    (root / "main.tf").write_text(GIVEN.format(**names))
    (root / "bundle.json").write_text(json.dumps(bundle(account)))
    example = Example(world, root)
    example.apply()
    example.nothing_to_do()

    same(set(variables(world, "repoint")), {"REPOINT_CONFIG_INLINE", "REPOINT_LOG", "HTTPS_PROXY"})
    for name in ("repoint-us-east-1", "repoint-us-east-1-schedule"):
        role = world.aws("iam").get_role(RoleName=name)["Role"]
        same((role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"].rsplit("/", 1)[-1]), ("/service/", "boundary"))
    own = {it["Sid"] for it in role_policies(world, "repoint-us-east-1")["lambda"]["Statement"]}
    has(own, "UseKmsKey")
    schedule = world.aws("scheduler").get_schedule(Name="batman", GroupName="repoint")
    same(json.loads(schedule["Target"]["Input"]), {"dry_run": True, "cluster": ["batman"]})
    topics = {it["TopicArn"].rsplit(":", 1)[-1] for it in world.aws("sns").list_topics()["Topics"]}
    same(topics - {"db-alerts"}, {"look", "repoint-alerts"})
    limit = world.aws("lambda").get_function_concurrency(FunctionName="repoint")
    same(limit["ReservedConcurrentExecutions"], 1)
    (mapping,) = world.aws("lambda").list_event_source_mappings()["EventSourceMappings"]
    same((mapping["MaximumBatchingWindowInSeconds"], mapping["ScalingConfig"]), (5, {"MaximumConcurrency": 3}))
    may_only_publish(world, "pair-us-east-1", f"arn:aws:sns:us-east-1:{account}:repoint-alerts")
    groups = world.aws("elbv2").describe_target_groups(Names=["warm"])["TargetGroups"]
    same((groups[0]["HealthCheckProtocol"], groups[0]["HealthCheckPath"], groups[0]["HealthCheckPort"]), ("HTTP", "/replica", "8008"))
    alarms = {it["AlarmName"] for it in world.aws("cloudwatch").describe_alarms()["MetricAlarms"]}
    same(alarms, ALARMS - {"repoint-no-success"} | METRIC_ALARMS)
    same(dashboard(world, alarms), {"repoint", "look", "repoint-alerts", "failures"})

    example.destroy()
    same(world.everything() - before, set())
