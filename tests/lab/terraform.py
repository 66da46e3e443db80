"""The real Terraform, with the real AWS provider, applies the examples against moto, from nothing.

usage: terraform.py [--endpoint URL] [complete] [existing] [given] [refusals]     (all of them by default)
       terraform.py --endpoint URL --folder DIR [--inputs JSON] up EXAMPLE
       terraform.py --endpoint URL --folder DIR down EXAMPLE

Runs in the lab's Python environment, and speaks to loopback only; without --endpoint it starts moto itself. From the
environment: LAB_TERRAFORM, the program (terraform); LAB_TERRAFORM_PLUGINS, a folder with the provider, in the layout
that `terraform init -plugin-dir` takes; without it, init asks the registry.

Each example is applied, planned again (nothing to do), read back, destroyed, and looked for afterwards. With `up` that
ends before it is destroyed, and prints as JSON the outputs, the function's environment and its role's policies; `down`
does the rest.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3

HERE = pathlib.Path(__file__).resolve().parent
MODULE = HERE.parent.parent / "infra" / "terraform"
HOST, PORT = "127.0.0.10", 5556
# Not the one that the example's stand-ins name.
ACCOUNT = "111122223333"
REGIONS = ["us-east-1", "us-west-2"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="an AWS that is emulated already")
    parser.add_argument("--folder", type=pathlib.Path, help="what `up` leaves for `down`")
    parser.add_argument("--inputs", type=json.loads, default={}, help="the example's, as a JSON object")
    parser.add_argument("what", nargs="*", help="complete, existing, given, refusals; up EXAMPLE; down EXAMPLE")
    arguments = parser.parse_args()
    if arguments.what[:1] in (["up"], ["down"]):
        return (up if arguments.what[0] == "up" else down)(arguments)
    trials = {"complete": complete, "existing": existing, "given": given, "refusals": refusals}
    with tempfile.TemporaryDirectory(prefix="terraform-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        endpoint = arguments.endpoint or stack.enter_context(moto(folder))
        for name in arguments.what or trials:
            started = time.monotonic()
            trials[name](World(folder / name, endpoint))
            print(f"{name}: fine, {time.monotonic() - started:.0f} s", flush=True)


class World:
    """An emulated AWS, and a copy of the module to be applied to it."""

    def __init__(self, folder, endpoint):
        self.folder = folder
        self.module = folder / "terraform"
        if not self.module.exists():
            left_out = shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "*.tfvars")
            shutil.copytree(MODULE, self.module, ignore=left_out)
        self.zip = folder / "function.zip"
        with zipfile.ZipFile(self.zip, "w") as archive:
            archive.writestr("bootstrap", "#!/bin/sh\n")
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        self.endpoint = endpoint

    def aws(self, service, region=REGIONS[0]):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, **keys)

    def example(self, name, inputs):
        return Example(self, self.module / "examples" / name, {"zip": str(self.zip), **inputs})

    def everything(self):
        """What an account holds, of all that the examples make."""
        found = set()
        for region in REGIONS:
            listings = [
                ("lambda", "list_functions", "Functions", "FunctionArn"),
                ("iam", "list_roles", "Roles", "Arn"),
                ("iam", "list_policies", "Policies", "Arn"),
                ("sns", "list_topics", "Topics", "TopicArn"),
                ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
                ("sqs", "list_queues", "QueueUrls", None),
                ("dynamodb", "list_tables", "TableNames", None),
                ("logs", "describe_log_groups", "logGroups", "arn"),
                ("scheduler", "list_schedules", "Schedules", "Arn"),
                ("scheduler", "list_schedule_groups", "ScheduleGroups", "Arn"),
                ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn"),
                ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
                ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
                ("route53", "list_hosted_zones", "HostedZones", "Id"),
                ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
                ("ec2", "describe_subnets", "Subnets", "SubnetId"),
                ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
                ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
                ("ec2", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
                ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
            ]
            for service, verb, key, field in listings:
                scope = {"Scope": "Local"} if verb == "list_policies" else {}
                for item in getattr(self.aws(service, region), verb)(**scope).get(key, []):
                    found.add((region, verb, item[field] if field else item))
            # moto keeps deleted endpoints in its list.
            endpoints = self.aws("ec2", region).describe_vpc_endpoints()["VpcEndpoints"]
            alive = [it for it in endpoints if it["State"].lower() not in ("deleted", "deleting")]
            found.update((region, "describe_vpc_endpoints", it["VpcEndpointId"]) for it in alive)
        return found


class Example:
    """A folder with a root module; without inputs, one that has been initialised before."""

    def __init__(self, world, folder, inputs):
        self.world = world
        self.folder = folder
        if inputs is None:
            return
        (folder / "test.auto.tfvars.json").write_text(json.dumps(inputs))
        plugins = os.environ.get("LAB_TERRAFORM_PLUGINS")
        self.terraform("init", *([f"-plugin-dir={plugins}"] if plugins else []))

    def terraform(self, *arguments, expected=(0,)):
        command = [os.environ.get("LAB_TERRAFORM", "terraform"), *arguments, "-no-color"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.world.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode not in expected:
            sys.exit(f"{' '.join(command)} in {self.folder.name} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def apply(self):
        self.terraform("apply", "-auto-approve", "-input=false")

    def nothing_to_do(self):
        """A plan that would change anything ends with 2."""
        self.terraform("plan", "-detailed-exitcode", "-input=false")

    def outputs(self):
        return {name: it["value"] for name, it in json.loads(self.terraform("output", "-json")).items()}

    def destroy(self):
        self.terraform("destroy", "-auto-approve", "-input=false")


def up(arguments):
    world = World(arguments.folder, arguments.endpoint)
    (world.folder / "before.json").write_text(json.dumps(sorted(world.everything())))
    example = world.example(arguments.what[1], arguments.inputs)
    example.apply()
    example.nothing_to_do()
    outputs = example.outputs()
    environment = variables(world, outputs["function_name"])
    policies = role_policies(world, outputs["role_name"])
    print(json.dumps({"outputs": outputs, "environment": environment, "policies": policies}))


def down(arguments):
    world = World(arguments.folder, arguments.endpoint)
    before = {tuple(it) for it in json.loads((world.folder / "before.json").read_text())}
    Example(world, world.module / "examples" / arguments.what[1], None).destroy()
    same(world.everything() - before, set())


def complete(world):
    before = world.everything()
    example = world.example("complete", {})
    example.apply()
    example.nothing_to_do()
    outputs = example.outputs()

    text = variables(world, outputs["function_name"])["REPOINT_CONFIG_INLINE"]
    same(text, outputs["configuration"])
    for name in ("target_group_arn", "zone_id", "alert_topic_arn", "trigger_topic_arn"):
        has(text, f'"{outputs[name]}"')
    policies = role_policies(world, outputs["role_name"])
    written = json.dumps(policies["repoint"])
    for thing in (outputs["target_group_arn"], "hostedzone/" + outputs["zone_id"], outputs["alert_topic_arn"]):
        has(written, f'{thing}"')
    has_not(text + written, "123456789012" if ACCOUNT in outputs["alert_topic_arn"] else "Z0123456789")
    own = {it["Sid"] for it in policies["lambda"]["Statement"]}
    same(own, {"Log", "HandOverFailures", "StandInTheVpc", "NotFromTheCode"})

    function = world.aws("lambda").get_function(FunctionName=outputs["function_name"])["Configuration"]
    same((function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]),
         ("provided.al2023", ["x86_64"], 512, 60))
    same(sorted(function["VpcConfig"]["SubnetIds"]), sorted(outputs["subnet_ids"]))
    retry = world.aws("lambda").get_function_event_invoke_config(FunctionName=outputs["function_name"])
    has(retry["DestinationConfig"]["OnFailure"]["Destination"], ":repoint-failures")
    schedule = world.aws("scheduler").get_schedule(Name="all", GroupName="repoint")
    same((schedule["State"], schedule["ScheduleExpression"]), ("ENABLED", "rate(1 minute)"))
    same(json.loads(schedule["Target"]["Input"]), {"dry_run": False})
    subscribed = world.aws("sns").list_subscriptions_by_topic(TopicArn=outputs["trigger_topic_arn"])["Subscriptions"]
    same([it["Endpoint"] for it in subscribed], [function["FunctionArn"]])
    table = world.aws("dynamodb").describe_table(TableName="repoint")["Table"]
    same(table["KeySchema"], [{"AttributeName": "scope", "KeyType": "HASH"}])
    endpoints = world.aws("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    has({it["ServiceName"] for it in endpoints}, "com.amazonaws.route53")
    check = world.aws("elbv2").describe_target_groups(TargetGroupArns=[outputs["target_group_arn"]])["TargetGroups"][0]
    same((check["HealthCheckProtocol"], check["HealthCheckIntervalSeconds"]), ("TCP", 5))

    # What repoint adds to the zone must not keep the zone from going.
    add_record(world, outputs["zone_id"])
    example.destroy()
    same(world.everything() - before, set())


def existing(world):
    made = what_most_people_have(world, REGIONS[0])
    away = what_most_people_have(world, REGIONS[1])
    before = world.everything()
    inputs = {
        **{name: made[name] for name in ("alert_topic_arn", "vpc_id", "subnet_ids", "database_security_group_id")},
        "second_region": {
            "region": REGIONS[1],
            "vpc_id": away["vpc_id"],
            "subnet_ids": away["subnet_ids"],
            "patroni_cidr_blocks": ["10.0.0.0/24", "10.0.1.0/24"],
        },
    }
    example = world.example("existing", inputs)
    for region, of, suffix in ((REGIONS[0], made, ""), (REGIONS[1], away, "-second")):
        # The module makes the second Region's topic itself.
        alert = of["alert_topic_arn"] if not suffix else of["alert_topic_arn"].replace("db-alerts", "repoint-alerts")
        for name, file in (("repoint.toml", "configuration_file"), ("policy.json", "policy_file")):
            text = (example.folder / name).read_text()
            text = re.sub(r"arn:aws:elasticloadbalancing:[^\"]+", of["target_group_arn"], text)
            text = re.sub(r"arn:aws:sns:[^\"]+", alert, text).replace("Z0123456789", of["zone_id"])
            target = example.folder / name.replace(".", suffix + ".")
            target.write_text(text)
            if suffix:
                inputs["second_region"][file] = target.name
    (example.folder / "test.auto.tfvars.json").write_text(json.dumps({"zip": str(world.zip), **inputs}))
    example.apply()
    example.nothing_to_do()
    outputs = example.outputs()

    same(variables(world, "repoint")["REPOINT_CONFIG_INLINE"], (example.folder / "repoint.toml").read_text())
    same(role_policies(world, outputs["role_name"])["repoint"], json.loads((example.folder / "policy.json").read_text()))
    second = variables(world, "repoint", REGIONS[1])["REPOINT_CONFIG_INLINE"]
    same(second, (example.folder / "repoint-second.toml").read_text())
    roles = {it["RoleName"] for it in world.aws("iam").list_roles()["Roles"]}
    has(roles, "repoint-us-east-1")
    has(roles, "repoint-us-west-2")
    rules = world.aws("ec2").describe_security_group_rules()["SecurityGroupRules"]
    let_in = [it for it in rules if it["GroupId"] == made["database_security_group_id"] and not it["IsEgress"]]
    same([it["FromPort"] for it in let_in], [8008])
    alarms = world.aws("cloudwatch").describe_alarms()["MetricAlarms"]
    same({it["AlarmName"] for it in alarms}, {f"repoint-{it}" for it in ("errors", "throttles", "dropped", "no-success")})
    same({it for alarm in alarms for it in alarm["AlarmActions"]}, {made["alert_topic_arn"]})

    # Nothing calls it: for a first look by hand.
    path = example.folder / "test.auto.tfvars.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "triggers_enabled": False}))
    example.apply()
    example.nothing_to_do()
    same(world.aws("scheduler").get_schedule(Name="all", GroupName="repoint")["State"], "DISABLED")
    same(world.aws("sns").list_subscriptions_by_topic(TopicArn=outputs["trigger_topic_arn"])["Subscriptions"], [])

    example.destroy()
    same(world.everything() - before, set())
    same(before - world.everything(), set())


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
    example = Example(world, root, {})
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


CONFIGURATION = """
[state]
dynamodb_table = "repoint"   # memory

[alerts]
sns_topic_arn = "arn:aws:sns:us-east-1:{account}:repoint-alerts"

[[cluster]]
scope = "batman"
members = ["http://10.0.1.11:8008"]

  [[cluster.target_group]]
  arn = "arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/pg-writer/057ddce98af07a33"
  # arn = "arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/not-this-one/057ddce98af07a33"

  [[cluster.record]]
  zone_id = "Z0123456789"
  name = "writer.db.example.com"
  type = "A"
  points_to = "primary"
"""
POLICY = """{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "sns:Publish", "Resource": [
  "arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/pg-writer/057ddce98af07a33",
  "arn:aws:route53:::hostedzone/Z0123456789",
  "arn:aws:sns:us-east-1:{account}:repoint-alerts",
  "arn:aws:dynamodb:us-east-1:{account}:table/repoint"]}}]}}"""
VPC = {"id": "vpc-1", "subnet_ids": ["subnet-1"], "patroni_cidr_blocks": ["10.0.0.0/16"]}


def refusals(world):
    """What a plan says of a mistake, before anything is made."""
    account = world.aws("sts").get_caller_identity()["Account"]
    configuration, policy = CONFIGURATION.format(account=account), POLICY.format(account=account)
    root = world.folder / "root"
    root.mkdir()
    variables = re.findall(r'^variable "(\w+)"', (world.module / "variables.tf").read_text(), re.M)

    def root_module(inputs):
        """Every input as one of a root module would be too much writing: they are given as JSON."""
        unknown = set(inputs) - set(variables)
        assert not unknown, unknown
        # In a JSON file `${` would begin a template.
        given = json.loads(json.dumps(inputs).replace("${", "$${"))
        module = {"source": "../terraform", "zip": str(world.zip), "configuration": configuration, "policy": policy, **given}
        text = json.dumps({"provider": {"aws": {"region": REGIONS[0]}}, "module": {"repoint": module}})
        (root / "main.tf.json").write_text(text)

    root_module({})
    example = Example(world, root, {})
    (root / "test.auto.tfvars.json").unlink()

    def changed(*pairs, of=configuration):
        for old, new in pairs:
            has(of, old)
            of = of.replace(old, new)
        return of

    topic = f"arn:aws:sns:us-east-1:{account}:repoint-alerts"
    away = topic.replace("us-east-1", "eu-west-1")
    fine = [
        {},
        {"configuration": changed(("\n[state]\ndynamodb_table", "\nstate.dynamodb_table"))},
        {"configuration": changed(('\n[state]\ndynamodb_table = "repoint"', '\nstate = { required = true, dynamodb_table = "repoint" }'))},
        {"configuration": changed(("\n", "\r\n"))},
        {"configuration": configuration + "#" * 5000, "configuration_layer": {"arn": f"arn:aws:lambda:us-east-1:{account}:layer:c:1"}},
        {"schedules": {"nightly": {"expression": "cron(0 3 * * ? *)", "clusters": ["batman"]}}},
        {"kms_key": {"arn": f"arn:aws:kms:us-east-1:{account}:key/0f5e3c1a"}, "vpc": VPC, "reserved_concurrency": 0},
        {"vpc": {**VPC, "https_cidr_blocks": ["10.9.0.0/16"], "patroni_cidr_blocks": ["fd00::/64"]}},
    ]
    refused = [
        ({"name": "Repoint"}, "becomes part of the names"),
        ({"zip": "no.zip"}, "There is no file `no.zip`"),
        ({"architecture": "arm"}, "`x86_64` or `arm64`"),
        ({"configuration": "repoint.toml"}, "file(\"repoint.toml\")"),
        ({"configuration": configuration + "#" * 5000}, "4096 is all there is"),
        ({"configuration": changed(('"repoint"', '"other"'))}, "must keep memory in the table `repoint`, and it names other"),
        ({"configuration": changed(("dynamodb_table", "# dynamodb_table"))}, "and it names none"),
        ({"table": {"name": "given"}}, "must keep memory in the table `given`"),
        ({"configuration": changed((topic, topic + "2"))}, "must tell people through"),
        ({"configuration": changed(("[alerts]", "[callback]"))}, "names no topic"),
        ({"configuration": configuration + f'\n[callback]\nsns_topic_arn = "{topic}"\n'}, "which calls nobody here"),
        ({"policy": "policy.json"}, "is no IAM policy in JSON"),
        ({"policy": changed(("pg-writer", "pg-reader"), of=policy)}, "iam --config repoint.toml > policy.json` again"),
        ({"policy": changed(("Z0123456789", "Z01234567890"), of=policy)}, "hostedzone/Z0123456789. Run"),
        ({"policy": changed(("table/repoint", "table/other"), of=policy)}, "does not allow what the configuration needs: table/repoint"),
        ({"configuration": changed(("[[cluster.record]]", "[[cluster.other]]"))}, "does not name: hostedzone/Z0123456789"),
        ({"policy": changed(('"sns:Publish"', '["sns:Publish", "' + "x" * 10000 + '"]'), of=policy)}, "IAM takes 10240"),
        ({"schedules": {"all": {"expression": "every minute"}}}, "rate(5 minutes)"),
        ({"schedules": {"all": {"expression": "rate(1 minutes)"}}}, "rate(5 minutes)"),
        ({"schedules": {"all": {"expression": "rate(5 minutes)"}}}, "ring between two looks"),
        ({"log_retention_days": 31}, "CloudWatch takes"),
        ({"vpc": {**VPC, "patroni_cidr_blocks": ["10.0.0.0"]}}, "10.0.1.11/32"),
        ({"vpc": {**VPC, "patroni_cidr_blocks": []}}, "Nothing says where Patroni is"),
        ({"vpc": {**VPC, "subnet_ids": []}}, "`vpc.subnet_ids` is empty"),
        ({"endpoints": {"services": ["sns"]}}, "there is none: give `vpc`"),
        ({"endpoints": {"services": ["s3"]}}, "may hold elasticloadbalancing"),
        ({"endpoints": {"services": ["dynamodb"]}}, "a gateway, reached by routes"),
        ({"alert_topic": {"arn": topic + ".fifo"}}, "a standard SNS topic"),
        (
            {
                "alert_topic": {"arn": away},
                "configuration": changed((topic, away)),
                "policy": changed((topic, away), of=policy),
            },
            "Alarms reach only topics of their own Region",
        ),
        ({"kms_key": {"arn": "alias/mine"}}, "not of an alias"),
        ({"trigger_topic": {"arn": topic}, "alert_topic": {"arn": topic}}, "is both `trigger_topic` and `alert_topic`"),
        ({"trigger_topic": {"arn": away}}, "and the function in us-east-1. Give a topic"),
    ]
    for inputs in fine:
        root_module(inputs)
        example.terraform("plan", "-input=false")
    for inputs, reason in refused:
        root_module(inputs)
        has(told(example), reason)
    subnet = what_most_people_have(world, REGIONS[0])
    inside = {**VPC, "id": subnet["vpc_id"], "subnet_ids": subnet["subnet_ids"]}
    instances = changed(('"sns:Publish"', '["sns:Publish", "ec2:DescribeInstances"]'), of=policy)
    elsewhere = f'"arn:aws:elasticloadbalancing:us-west-2:{account}:targetgroup/pg/057ddce98af07a33"'
    spanning = {
        "configuration": f"{configuration}\n[[cluster.target_group]]\narn = {elsewhere}\n",
        "policy": changed(('"Resource": [', f'"Resource": [{elsewhere},'), of=policy),
    }
    everything = ["elasticloadbalancing", "sns", "route53", "dynamodb"]
    endpoints = {"services": everything, "route_table_ids": ["rtb-1"]}
    for inputs, reason in [
        ({"endpoints": {"services": ["elasticloadbalancing", "sns"]}}, "would not reach dynamodb, route53,"),
        ({"policy": instances, "endpoints": endpoints}, "would not reach ec2,"),
        ({"endpoints": endpoints, **spanning}, "names load balancers in us-west-2"),
    ]:
        root_module({"vpc": inside, **inputs})
        has(told(example), reason)


def told(example):
    """The errors of a plan, in one line each: Terraform folds and frames them. An accepted plan has none."""
    said = example.terraform("plan", "-input=false", expected=(0, 1))
    return " ".join(said.partition("Error:")[2].replace("│", " ").split())


def what_most_people_have(world, region):
    """A VPC with nodes' security group, a group for the writer, a zone and a topic."""
    ec2, elbv2 = world.aws("ec2", region), world.aws("elbv2", region)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{region}{'ab'[i]}")["Subnet"]["SubnetId"]
        for i in range(2)
    ]
    nodes = ec2.create_security_group(GroupName="database", Description="nodes", VpcId=vpc)["GroupId"]
    group = elbv2.create_target_group(Name="pg-writer", Protocol="TCP", Port=5432, VpcId=vpc, TargetType="ip")
    reference = f"{time.monotonic_ns()}"
    zone = world.aws("route53").create_hosted_zone(Name="db.example.com", CallerReference=reference)["HostedZone"]["Id"]
    return {
        "vpc_id": vpc,
        "subnet_ids": subnets,
        "database_security_group_id": nodes,
        "target_group_arn": group["TargetGroups"][0]["TargetGroupArn"],
        "zone_id": zone.rsplit("/", 1)[-1],
        "alert_topic_arn": world.aws("sns", region).create_topic(Name="db-alerts")["TopicArn"],
    }


def add_record(world, zone):
    record = {"Name": "primary.db.example.internal", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.90.0.11"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    world.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def variables(world, function, region=REGIONS[0]):
    configured = world.aws("lambda", region).get_function_configuration(FunctionName=function)
    return configured["Environment"]["Variables"]


def role_policies(world, role):
    iam = world.aws("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def same(found, expected):
    assert found == expected, f"found {found!r}\nexpected {expected!r}"


def has(where, what):
    assert what in where, f"{what!r} is not in:\n{where}"


def has_not(where, what):
    assert what not in where, f"{what!r} is in:\n{where}"


@contextlib.contextmanager
def moto(folder):
    """The lab's moto, for as long as this runs."""
    command = [sys.executable, str(HERE / "moto_server.py"), "--host", HOST, "--port", str(PORT)]
    variables = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_ACCOUNT_ID": ACCOUNT}
    with (folder / "moto.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        endpoint = f"http://{HOST}:{PORT}"
        for _ in range(300):
            if server.poll() is not None:
                sys.exit((folder / "moto.log").read_text())
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{endpoint}/moto-api/data.json").close()
                break
            time.sleep(0.2)
        else:
            sys.exit((folder / "moto.log").read_text())
        yield endpoint
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
