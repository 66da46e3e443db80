"""What the trials of deployments stand on: an emulated AWS, a copy of the Terraform module, and what most people have."""

import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile

import boto3

HERE = pathlib.Path(__file__).resolve().parent
MODULE = HERE.parent.parent / "infra" / "terraform"
HOST = "127.0.0.10"
# Not the one that the example's stand-ins name.
ACCOUNT = "111122223333"
REGIONS = ["us-east-1", "us-west-2"]
ALARMS = {
    f"repoint-{it}"
    for it in ("errors", "throttles", "dropped", "undelivered", "failures", "callbacks", "alerts", "no-success")
}
METRIC_ALARMS = {f"repoint-{it}" for it in ("no-primary", "conditions-critical", "held")}
# The owner's: see moto_server.py.
KEYS = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}


class World:
    """An emulated AWS, and a copy of the module to be applied to it."""

    def __init__(self, folder, endpoint, bootstrap=None):
        self.folder = folder
        self.module = folder / "terraform"
        if not self.module.exists():
            left_out = shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "*.tfvars")
            shutil.copytree(MODULE, self.module, ignore=left_out)
        self.zip = folder / "function.zip"
        if not self.zip.exists():
            with zipfile.ZipFile(self.zip, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.write(bootstrap or "/bin/true", "bootstrap")
        self.architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            **{name.upper(): value for name, value in KEYS.items()},
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        self.endpoint = endpoint

    def aws(self, service, region=REGIONS[0]):
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, **KEYS)

    def folder_of(self, example):
        return self.module / "examples" / example

    def example(self, name, inputs):
        inputs = {"zip": str(self.zip), "architecture": self.architecture, **inputs}
        return Example(self, self.folder_of(name), inputs)

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
                ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardArn"),
                ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
                ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
                ("route53", "list_hosted_zones", "HostedZones", "Id"),
                ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
                ("ec2", "describe_subnets", "Subnets", "SubnetId"),
                ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
                ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
                ("ec2", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
                ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
                ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
                ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupARN"),
                ("iam", "list_instance_profiles", "InstanceProfiles", "Arn"),
                ("route53", "list_health_checks", "HealthChecks", "Id"),
                ("lambda", "list_layers", "Layers", "LayerArn"),
                ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
            ]
            for service, verb, key, field in listings:
                scope = {"Scope": "Local"} if verb == "list_policies" else {}
                for item in getattr(self.aws(service, region), verb)(**scope).get(key, []):
                    found.add((region, verb, item[field] if field else item))
            # What is deleted stays in these lists, as in AWS for a while.
            ec2 = self.aws("ec2", region)
            for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
                if endpoint["State"].lower() not in ("deleted", "deleting"):
                    found.add((region, "describe_vpc_endpoints", endpoint["VpcEndpointId"]))
            for peering in ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]:
                if peering["Status"]["Code"] != "deleted":
                    found.add((region, "describe_vpc_peering_connections", peering["VpcPeeringConnectionId"]))
            for reservation in ec2.describe_instances()["Reservations"]:
                alive = [it for it in reservation["Instances"] if it["State"]["Name"] != "terminated"]
                found.update((region, "describe_instances", it["InstanceId"]) for it in alive)
        return found


class Example:
    """A folder with a root module."""

    def __init__(self, world, folder, inputs=None, is_new=True):
        self.world = world
        self.folder = folder
        if inputs:
            (folder / "test.auto.tfvars.json").write_text(json.dumps(inputs))
        if is_new:
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


def common_resources(world, region):
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


def variables(world, function, region=REGIONS[0]):
    configured = world.aws("lambda", region).get_function_configuration(FunctionName=function)
    return configured.get("Environment", {}).get("Variables", {})


def role_policies(world, role):
    """All that a role has, by name: its own policies, and the managed ones."""
    iam = world.aws("iam")
    own = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in own}
    for it in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=it["PolicyArn"])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=it["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
        found[it["PolicyName"]] = document
    return found


def let_in(world, function, topic):
    """SNS may call the function, of that topic, whatever else it says of itself."""
    (statement,) = json.loads(world.aws("lambda").get_policy(FunctionName=function)["Policy"])["Statement"]
    same((statement["Principal"], statement["Condition"]),
         ({"Service": "sns.amazonaws.com"}, {"ArnLike": {"AWS:SourceArn": topic}}))


def trusts_lambda_for(world, role, function):
    """Lambda may act with the role for that function alone."""
    (statement,) = world.aws("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    same(statement["Principal"], {"Service": "lambda.amazonaws.com"})
    same(statement["Condition"], {
        "StringEquals": {"aws:SourceAccount": function.split(":")[4]},
        "ArnLike": {"aws:SourceArn": [function, f"{function}:*"]},
    })


def same(found, expected):
    assert found == expected, f"found {found!r}\nexpected {expected!r}"


def has(where, what):
    assert what in where, f"{what!r} is not in:\n{where}"


def has_not(where, what):
    assert what not in where, f"{what!r} is in:\n{where}"


@contextlib.contextmanager
def moto(folder):
    """The lab's moto, for as long as this runs. Several may."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-B", str(HERE / "moto_server.py"), "--host", HOST, "--port", str(port)]
    variables = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_ACCOUNT_ID": ACCOUNT}
    with (folder / "moto.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        endpoint = f"http://{HOST}:{port}"
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


def bundle(account, **changes):
    """What `repoint bundle` prints, as far as the module reads it, of a group and a record."""
    group = f"arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/pg-writer/057ddce98af07a33"
    topic = f"arn:aws:sns:us-east-1:{account}:repoint-alerts"
    allowed = [group, "arn:aws:route53:::hostedzone/Z0123456789", topic, f"arn:aws:dynamodb:us-east-1:{account}:table/repoint"]
    statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": allowed}
    return {
        "bundle": 1,
        "clusters": ["batman"],
        "scopes": ["batman"],
        "regions": ["us-east-1"],
        "table": "repoint",
        "alert_topics": [topic],
        "trigger_topic": None,
        "services": ["dynamodb", "elasticloadbalancing", "route53", "sns"],
        "policy": {"Version": "2012-10-17", "Statement": [statement]},
        "configuration": '[[cluster]]\nscope = "batman"\n',
        **changes,
    }


def about(value, changes):
    """The same, with each pattern replaced in every text in it."""
    if isinstance(value, str):
        for pattern, new in changes:
            value = re.sub(pattern, new, value)
        return value
    if isinstance(value, list):
        return [about(it, changes) for it in value]
    if isinstance(value, dict):
        return {key: about(it, changes) for key, it in value.items()}
    return value


def dashboard(world, alarms):
    """The one dashboard: it shows these alarms, and lies in rows without overlap."""
    (entry,) = world.aws("cloudwatch").list_dashboards()["DashboardEntries"]
    same(entry["DashboardName"], "repoint-us-east-1")
    body = json.loads(world.aws("cloudwatch").get_dashboard(DashboardName="repoint-us-east-1")["DashboardBody"])
    shown, *rest = body["widgets"]
    same({it.rsplit(":", 1)[1] for it in shown["properties"]["alarms"]}, alarms)
    places = {(x, y) for it in body["widgets"] for x in range(it["x"], it["x"] + it["width"])
              for y in range(it["y"], it["y"] + it["height"])}
    same(len(places), sum(it["width"] * it["height"] for it in body["widgets"]))
    same([it["type"] for it in rest], 6 * ["metric"] + 2 * ["log"])
    metrics = [metric for it in rest for metric in it["properties"].get("metrics", [])]
    named = {metric[3] for metric in metrics}
    same(len(metrics), 15)
    return named
