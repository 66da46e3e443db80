"""The module where everything that may be given is given."""

import json

from account import CONFIGURATION, POLICY, REGIONS, Example, has, role_policies, same, variables, what_most_people_have

GIVEN = """
provider "aws" {{
  region = "us-east-1"
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

resource "aws_dynamodb_table" "memory" {{
  name         = "repoint"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "scope"

  attribute {{
    name = "scope"
    type = "S"
  }}
}}

module "warm" {{
  source   = "../terraform/target-group"
  name     = "warm"
  vpc_id   = "{vpc_id}"
  strategy = "warm"
  role     = "reader"
}}

module "repoint" {{
  source               = "../terraform"
  zip                  = "{zip}"
  configuration        = file("repoint.toml")
  policy               = file("policy.json")
  kms_key              = {{ arn = aws_kms_key.this.arn }}
  trigger_topic        = {{ arn = aws_sns_topic.look.arn }}
  alert_topic          = {{ arn = aws_sns_topic.alerts.arn }}
  failure_queue        = {{ arn = aws_sqs_queue.failures.arn }}
  table                = {{ name = aws_dynamodb_table.memory.name }}
  architecture         = "arm64"
  log_filter           = "debug"
  reserved_concurrency = 1
  no_success_minutes   = 0
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


def given(world):
    """Everything that may be given is, and is made in the same apply, so that no ARN is known when planning."""
    account = world.aws("sts").get_caller_identity()["Account"]
    around = what_most_people_have(world, REGIONS[0])
    tables = world.aws("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [around["vpc_id"]]}])
    names = {
        "vpc_id": around["vpc_id"],
        "subnet_id": around["subnet_ids"][0],
        "route_table_id": tables["RouteTables"][0]["RouteTableId"],
        "zip": world.zip,
    }
    before = world.everything()
    root = world.folder / "root"
    root.mkdir()
    (root / "main.tf").write_text(GIVEN.format(**names))
    (root / "repoint.toml").write_text(CONFIGURATION.format(account=account))
    (root / "policy.json").write_text(POLICY.format(account=account))
    example = Example(world, root)
    example.apply()
    example.nothing_to_do()

    same(set(variables(world, "repoint")), {"REPOINT_CONFIG_INLINE", "REPOINT_LOG"})
    own = {it["Sid"] for it in role_policies(world, "repoint-us-east-1")["lambda"]["Statement"]}
    has(own, "UseTheKey")
    schedule = world.aws("scheduler").get_schedule(Name="batman", GroupName="repoint")
    same(json.loads(schedule["Target"]["Input"]), {"dry_run": True, "cluster": ["batman"]})
    topics = {it["TopicArn"].rsplit(":", 1)[-1] for it in world.aws("sns").list_topics()["Topics"]}
    same(topics - {"db-alerts"}, {"look", "repoint-alerts"})
    limit = world.aws("lambda").get_function_concurrency(FunctionName="repoint")
    same(limit["ReservedConcurrentExecutions"], 1)
    groups = world.aws("elbv2").describe_target_groups(Names=["warm"])["TargetGroups"]
    same((groups[0]["HealthCheckProtocol"], groups[0]["HealthCheckPath"], groups[0]["HealthCheckPort"]), ("HTTP", "/replica", "8008"))

    example.destroy()
    same(world.everything() - before, set())
