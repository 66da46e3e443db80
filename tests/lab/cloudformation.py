"""The stack of infra/cloudformation, deployed by AWS's command line to an emulated AWS, read back, and deleted.

usage: cloudformation.py [--endpoint URL] [complete] [existing] [given] [refusals] [linted]     (all of them by default)
       cloudformation.py --endpoint URL --folder DIR [--bootstrap FILE] [--inputs JSON] up EXAMPLE
       cloudformation.py --endpoint URL --folder DIR down EXAMPLE

Runs in the lab's Python environment, and speaks to loopback only; without --endpoint it starts moto itself, with a
CloudFormation that makes what the template says or fails (moto_cloudformation). The examples are those of
infra/terraform, with the same inputs and outputs, and `up` and `down` are those of terraform.py. What an example there
makes around repoint is made here by the services' own APIs.
"""

import argparse
import contextlib
import json
import pathlib
import re
import tempfile
import time
import urllib.request

from account import (
    ALARMS,
    REGIONS,
    World,
    about,
    common_resources,
    has,
    let_in,
    moto,
    role_policies,
    same,
    trusts_lambda_for,
    variables,
)
from cloudformation_given import given
from cloudformation_refusals import linted, refusals
from cloudformation_stack import Stack, alarms, ringing, rules, state, subscribed

PREFIX_LIST = "pl-02cd2c6b"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="an AWS that is emulated already")
    parser.add_argument("--folder", type=pathlib.Path, help="what `up` leaves for `down`")
    parser.add_argument("--bootstrap", type=pathlib.Path, help="the function's program, if it is to run")
    parser.add_argument("--inputs", type=json.loads, default={}, help="the example's, as a JSON object")
    parser.add_argument("what", nargs="*", help="complete, existing, given, refusals, linted; up EXAMPLE; down EXAMPLE")
    arguments = parser.parse_args()
    if arguments.what[:1] in (["up"], ["down"]):
        verb, name = arguments.what
        world = World(arguments.folder, arguments.endpoint, arguments.bootstrap)
        return print(json.dumps(up(world, name, arguments.inputs))) if verb == "up" else down(world, name)
    trials = {"complete": example, "existing": example, "given": given, "refusals": refusals, "linted": linted}
    with tempfile.TemporaryDirectory(prefix="cloudformation-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        endpoint = arguments.endpoint or stack.enter_context(moto(folder))
        for name in arguments.what or trials:
            started = time.monotonic()
            # Each begins with nothing.
            urllib.request.urlopen(f"{endpoint}/moto-api/reset", data=b"").close()
            trials[name](World(folder / name, endpoint))
            print(f"{name}: fine, {time.monotonic() - started:.0f} s", flush=True)


def example(world):
    up(world, world.folder.name, {})
    down(world, world.folder.name)


def up(world, name, inputs):
    trial = EXAMPLES[name](world)
    configuration, policy, parameters = trial.prepared(inputs)
    (world.folder / "before.json").write_text(json.dumps(sorted(world.everything())))
    made = Stack(world).make(configuration, policy, Architecture=world.architecture, **parameters)
    environment = variables(world, made["FunctionName"])
    policies = role_policies(world, made["RoleName"])
    same(environment, {"REPOINT_CONFIG_INLINE": configuration})
    same(policies["repoint"], json.loads(policy))
    trial.read_back(parameters, made, policies)
    outputs = {re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower(): it for name, it in made.items()}
    return {"outputs": outputs | trial.around, "environment": environment, "policies": policies}


def down(world, name):
    before = {tuple(it) for it in json.loads((world.folder / "before.json").read_text())}
    stack = Stack(world)
    EXAMPLES[name](world).parting(stack)
    stack.delete()
    same(world.everything(), before)


def adapted(world, name, changes):
    """The example's own configuration and policy, about what is there."""
    bundle = about(json.loads((world.folder_of(name) / "bundle.json").read_text()), changes)
    return bundle["configuration"].strip(), json.dumps(bundle["policy"])


class Complete:
    """Everything is made, beside a VPC with load balancer and zone: topics, table, queue, alarms, all endpoints."""

    def __init__(self, world):
        self.world = world
        self.around = {}

    def prepared(self, inputs):
        found = common_resources(self.world, REGIONS[0])
        account = self.world.aws("sts").get_caller_identity()["Account"]
        changes = [
            (r"arn:aws:elasticloadbalancing:[^\"]+", found["target_group_arn"]),
            ("Z0123456789", found["zone_id"]),
            ("us-east-1:123456789012", f"us-east-1:{account}"),
            ("db.example.internal", "db.example.com"),
        ]
        if "members" in inputs:
            changes.append(("members = .*", f"members = {json.dumps(inputs['members'])}"))
        configuration, policy = adapted(self.world, "complete", changes)
        # What the example of Terraform makes itself.
        self.around = {name: found[name] for name in ("target_group_arn", "zone_id")} | {"configuration": configuration}
        tables = self.world.aws("ec2").describe_route_tables()["RouteTables"]
        (routes,) = [it["RouteTableId"] for it in tables if it["VpcId"] == found["vpc_id"]]
        return configuration, policy, {
            "VpcId": found["vpc_id"],
            "SubnetIds": ",".join(found["subnet_ids"]),
            "PatroniSecurityGroupId": found["database_security_group_id"],
            "OpenPatroniSecurityGroup": "true",
            "ElasticLoadBalancingEndpoint": "true",
            "SnsEndpoint": "true",
            "Route53Endpoint": "true",
            "Ec2Endpoint": "true",
            "DynamoDbEndpoint": "true",
            "VpcCidrBlocks": "10.0.0.0/16",
            "RouteTableIds": routes,
            "DynamoDbPrefixListId": PREFIX_LIST,
        }

    def read_back(self, parameters, made, policies):
        aws = self.world.aws
        for arn in (made["AlertTopicArn"], made["TriggerTopicArn"]):
            has(self.around["configuration"], f'"{arn}"')
        same(set(policies), {"repoint", "lambda"})
        own = policies["lambda"]["Statement"]
        same([(it["Sid"], it["Effect"]) for it in own],
             [("WriteLog", "Allow"), ("SendFailures", "Allow"), ("ManageNetworkInterfaces", "Allow"),
              ("DenyNetworkInterfacesToFunctionCode", "Deny")])
        same(own[3]["Action"], own[2]["Action"])
        same(own[3]["Condition"], {"ArnEquals": {"lambda:SourceFunctionArn": made["FunctionArn"]}})

        function = aws("lambda").get_function(FunctionName="repoint")["Configuration"]
        same((function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]),
             ("provided.al2023", [self.world.architecture], 512, 60))
        same((function["FunctionArn"], function["Role"]), (made["FunctionArn"], made["RoleArn"]))
        same(",".join(function["VpcConfig"]["SubnetIds"]), parameters["SubnetIds"])
        same(function["VpcConfig"]["SecurityGroupIds"], [made["SecurityGroupId"]])
        retry = aws("lambda").get_function_event_invoke_config(FunctionName="repoint")
        same((retry["MaximumEventAgeInSeconds"], retry["MaximumRetryAttempts"], retry["DestinationConfig"]["OnFailure"]),
             (300, 1, {"Destination": made["FailureQueueArn"]}))
        schedule = aws("scheduler").get_schedule(Name="all", GroupName=made["ScheduleGroupName"])
        same((schedule["State"], schedule["ScheduleExpression"]), ("ENABLED", "rate(1 minute)"))
        target = schedule["Target"]
        same((target["Arn"], target["RoleArn"], json.loads(target["Input"]), target["DeadLetterConfig"]["Arn"]),
             (made["FunctionArn"], made["ScheduleRoleArn"], {"dry_run": False}, made["FailureQueueArn"]))
        same(target["RetryPolicy"], {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1})
        same(subscribed(self.world, made), [made["FunctionArn"]])
        let_in(self.world, made["FunctionName"], made["TriggerTopicArn"])
        trusts_lambda_for(self.world, made["RoleName"], made["FunctionArn"])
        table = aws("dynamodb").describe_table(TableName=made["TableName"])["Table"]
        same(table["KeySchema"], [{"AttributeName": "scope", "KeyType": "HASH"}])
        backups = aws("dynamodb").describe_continuous_backups(TableName="repoint")["ContinuousBackupsDescription"]
        same(backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], "ENABLED")
        log = aws("logs").describe_log_groups(logGroupNamePrefix=made["LogGroupName"])["logGroups"]
        same([(it["logGroupName"], it["retentionInDays"]) for it in log], [("/aws/lambda/repoint", 30)])
        same(alarms(self.world, made), ALARMS)

        database = parameters["PatroniSecurityGroupId"]
        groups = aws("ec2").describe_security_groups()["SecurityGroups"]
        (interfaces,) = [it["GroupId"] for it in groups if it["Description"].startswith("The VPC endpoints of repoint")]
        same(rules(self.world, made["SecurityGroupId"]),
             {("out", 8008, database), ("out", 443, interfaces), ("out", 443, PREFIX_LIST)})
        has(rules(self.world, interfaces), ("in", 443, "10.0.0.0/16"))
        has(rules(self.world, database), ("in", 8008, made["SecurityGroupId"]))
        endpoints = aws("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        endpoints = [it for it in endpoints if it["VpcId"] == parameters["VpcId"]]
        same({it["ServiceName"] for it in endpoints}, {"com.amazonaws.route53", *(
            f"com.amazonaws.us-east-1.{it}" for it in ("elasticloadbalancing", "sns", "ec2", "dynamodb"))})
        gateways = [it for it in endpoints if it.get("RouteTableIds") == [parameters["RouteTableIds"]]]
        same([it["VpcEndpointType"] for it in gateways], ["Gateway"])

    def parting(self, stack):
        pass


class Existing:
    """A topic that people read, and a way to AWS."""

    def __init__(self, world):
        self.world = world
        self.around = {}

    def prepared(self, inputs):
        if inputs:
            # Relative paths are so to the example.
            bundle = json.loads((self.world.folder_of("existing") / inputs["bundle_file"]).read_text())
            configuration, policy = bundle["configuration"].strip(), json.dumps(bundle["policy"])
        else:
            inputs = common_resources(self.world, REGIONS[0])
            configuration, policy = adapted(self.world, "existing", [
                (r"arn:aws:elasticloadbalancing:[^\"]+", inputs["target_group_arn"]),
                (r"arn:aws:sns:[^\"]+", inputs["alert_topic_arn"]),
                ("Z0123456789", inputs["zone_id"]),
            ])
        return configuration, policy, {
            "AlertTopicArn": inputs["alert_topic_arn"],
            "VpcId": inputs["vpc_id"],
            "SubnetIds": ",".join(inputs["subnet_ids"]),
            "PatroniSecurityGroupId": inputs["database_security_group_id"],
            "PatroniCidrBlocks": "10.0.0.0/24,10.0.1.0/24",
        }

    def read_back(self, parameters, made, policies):
        same(made["AlertTopicArn"], parameters["AlertTopicArn"])
        same(rules(self.world, made["SecurityGroupId"]), {
            ("out", 8008, parameters["PatroniSecurityGroupId"]),
            ("out", 8008, "10.0.0.0/24"),
            ("out", 8008, "10.0.1.0/24"),
            ("out", 443, "0.0.0.0/0"),
        })
        same(alarms(self.world, made), ALARMS)

    def parting(self, stack):
        """Nothing calls it, as for a first look by hand; it is called again; and a new build with another configuration."""
        made, there = stack.outputs(), self.world.everything()
        never, again = ("DISABLED", [], {False}), ("ENABLED", [made["FunctionArn"]], {True})
        for triggers, called in (("false", never), ("true", again)):
            stack.deploy(TriggersEnabled=triggers)
            same((state(self.world), subscribed(self.world, made), ringing(self.world)), called)
        # Subscribed anew, and otherwise the same things.
        same({it[1] for it in self.world.everything() ^ there}, {"list_subscriptions"})

        function = self.world.aws("lambda").get_function_configuration
        old = function(FunctionName="repoint")
        stack.put_code("next.zip", self.world.zip.read_bytes() + b"\0")
        configuration = old["Environment"]["Variables"]["REPOINT_CONFIG_INLINE"] + "\n# changed"
        stack.deploy(CodeKey="next.zip", Configuration=configuration)
        new = function(FunctionName="repoint")
        same(new["Environment"]["Variables"], {"REPOINT_CONFIG_INLINE": configuration})
        assert new["CodeSha256"] != old["CodeSha256"]


EXAMPLES = {"complete": Complete, "existing": Existing}


if __name__ == "__main__":
    main()
