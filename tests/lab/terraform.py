"""The real Terraform, with the real AWS provider, applies the examples against moto, from nothing.

usage: terraform.py [--endpoint URL] [TRIAL...]     complete, existing, two-regions, fleet, given, refusals, numbers, linted;
                                                    all of them by default
       terraform.py --endpoint URL --folder DIR [--bootstrap FILE] [--inputs JSON] up EXAMPLE
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
import pathlib
import tempfile
import time

from account import (
    ACCOUNT,
    ALARMS,
    REGIONS,
    Example,
    World,
    about,
    common_resources,
    has,
    has_not,
    let_in,
    moto,
    role_policies,
    same,
    trusts_lambda_for,
    variables,
)
from terraform_fleet import Fleet, numbers
from terraform_given import given
from terraform_refusals import linted, refusals
from terraform_regions import TwoRegions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="an AWS that is emulated already")
    parser.add_argument("--folder", type=pathlib.Path, help="what `up` leaves for `down`")
    parser.add_argument("--bootstrap", type=pathlib.Path, help="the function's program, if it is to run")
    parser.add_argument("--inputs", type=json.loads, default={}, help="the example's, as a JSON object")
    parser.add_argument("what", nargs="*", help="trials; up EXAMPLE; down EXAMPLE")
    arguments = parser.parse_args()
    if arguments.what[:1] in (["up"], ["down"]):
        verb, name = arguments.what
        world = World(arguments.folder, arguments.endpoint, arguments.bootstrap)
        return print(json.dumps(up(world, name, arguments.inputs))) if verb == "up" else down(world, name)
    trials = {**dict.fromkeys(EXAMPLES, example), "given": given, "refusals": refusals, "numbers": numbers, "linted": linted}
    with tempfile.TemporaryDirectory(prefix="terraform-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        endpoint = arguments.endpoint or stack.enter_context(moto(folder))
        for name in arguments.what or trials:
            started = time.monotonic()
            trials[name](World(folder / name, endpoint))
            print(f"{name}: fine, {time.monotonic() - started:.0f} s", flush=True)


def example(world):
    up(world, world.folder.name, {})
    down(world, world.folder.name)


def up(world, name, inputs):
    trial = EXAMPLES[name](world)
    inputs = trial.prepared(inputs)
    (world.folder / "before.json").write_text(json.dumps(sorted(world.everything())))
    example = world.example(name, inputs)
    example.apply()
    example.nothing_to_do()
    outputs = example.outputs()
    function = outputs.get("first", outputs)
    environment = variables(world, function["function_name"])
    policies = role_policies(world, function["role_name"])
    trial.read_back(inputs, outputs, environment, policies)
    return {"outputs": outputs, "environment": environment, "policies": policies}


def down(world, name):
    before = {tuple(it) for it in json.loads((world.folder / "before.json").read_text())}
    example = Example(world, world.folder_of(name), is_new=False)
    EXAMPLES[name](world).parting(example)
    example.destroy()
    same(world.everything(), before)


class Complete:
    def __init__(self, world):
        self.world = world

    def prepared(self, inputs):
        # It is taken down again.
        return inputs | {"deletion_protection": False}

    def read_back(self, _, outputs, environment, policies):
        aws = self.world.aws
        text = environment["REPOINT_CONFIG_INLINE"]
        same(text, outputs["configuration"])
        for name in ("target_group_arn", "zone_id", "alert_topic_arn", "trigger_topic_arn"):
            has(text, f'"{outputs[name]}"')
        written = json.dumps(policies["repoint"])
        for thing in (outputs["target_group_arn"], "hostedzone/" + outputs["zone_id"], outputs["alert_topic_arn"]):
            has(written, f'{thing}"')
        has_not(text + written, "123456789012" if ACCOUNT in outputs["alert_topic_arn"] else "Z0123456789")
        own = {it["Sid"] for it in policies["lambda"]["Statement"]}
        same(own, {"WriteLog", "SendFailures", "ManageNetworkInterfaces", "DenyNetworkInterfacesToFunctionCode"})

        function = aws("lambda").get_function(FunctionName=outputs["function_name"])["Configuration"]
        same((function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]),
             ("provided.al2023", [self.world.architecture], 512, 60))
        same(sorted(function["VpcConfig"]["SubnetIds"]), sorted(outputs["subnet_ids"]))
        retry = aws("lambda").get_function_event_invoke_config(FunctionName=outputs["function_name"])
        has(retry["DestinationConfig"]["OnFailure"]["Destination"], ":repoint-failures")
        schedule = aws("scheduler").get_schedule(Name="all", GroupName="repoint")
        same((schedule["State"], schedule["ScheduleExpression"]), ("ENABLED", "rate(1 minute)"))
        same(json.loads(schedule["Target"]["Input"]), {"dry_run": False})
        subscribed = aws("sns").list_subscriptions_by_topic(TopicArn=outputs["trigger_topic_arn"])["Subscriptions"]
        live = function["FunctionArn"] + ":live"
        same(([it["Endpoint"] for it in subscribed], schedule["Target"]["Arn"]), ([live], live))
        alias = aws("lambda").get_alias(FunctionName=outputs["function_name"], Name="live")
        same(alias["FunctionVersion"], "1")
        redrive = aws("sns").get_subscription_attributes(SubscriptionArn=subscribed[0]["SubscriptionArn"])["Attributes"]
        has(json.loads(redrive["RedrivePolicy"])["deadLetterTargetArn"], ":repoint-failures")
        let_in(self.world, outputs["function_name"], outputs["trigger_topic_arn"])
        trusts_lambda_for(self.world, outputs["role_name"], function["FunctionArn"])
        table = aws("dynamodb").describe_table(TableName="repoint")["Table"]
        same(table["KeySchema"], [{"AttributeName": "scope", "KeyType": "HASH"}])
        endpoints = aws("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        has({it["ServiceName"] for it in endpoints}, "com.amazonaws.route53")
        check = aws("elbv2").describe_target_groups(TargetGroupArns=[outputs["target_group_arn"]])["TargetGroups"][0]
        same((check["HealthCheckProtocol"], check["HealthCheckIntervalSeconds"]), ("TCP", 5))

    def parting(self, example):
        """What repoint adds to the zone must not keep the zone from going."""
        values = [{"Value": "10.90.0.11"}]
        record = {"Name": "primary.db.example.internal", "Type": "A", "TTL": 5, "ResourceRecords": values}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        zone = example.outputs()["zone_id"]
        self.world.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


class Existing:
    def __init__(self, world):
        self.world = world
        self.folder = world.folder_of("existing")

    def prepared(self, inputs):
        """What is not given is made, and in the second Region everything."""
        if not inputs:
            made = common_resources(self.world, REGIONS[0])
            names = ("alert_topic_arn", "vpc_id", "subnet_ids", "database_security_group_id")
            inputs = {name: made[name] for name in names} | self.adapted(made, "-first")
        away = common_resources(self.world, REGIONS[1])
        # The module makes the second Region's topic itself.
        away["alert_topic_arn"] = away["alert_topic_arn"].replace("db-alerts", "repoint-alerts")
        second = {
            "region": REGIONS[1],
            "vpc_id": away["vpc_id"],
            "subnet_ids": away["subnet_ids"],
            "patroni_cidr_blocks": ["10.0.0.0/24", "10.0.1.0/24"],
        }
        return {**inputs, "second_region": second | self.adapted(away, "-second")}

    def adapted(self, around, suffix):
        """The example's own bundle, about what is there."""
        changed = about(json.loads((self.folder / "bundle.json").read_text()), [
            (r"arn:aws:elasticloadbalancing:[^\"]+", around["target_group_arn"]),
            (r"arn:aws:sns:[^\"]+", around["alert_topic_arn"]),
            ("Z0123456789", around["zone_id"]),
        ])
        # Its load balancer may be elsewhere.
        changed["regions"] = [around["target_group_arn"].split(":")[3]]
        name = f"bundle{suffix}.json"
        (self.folder / name).write_text(json.dumps(changed))
        return {"bundle_file": name}

    def read_back(self, inputs, outputs, environment, policies):
        aws = self.world.aws
        bundle = json.loads((self.folder / inputs["bundle_file"]).read_text())
        same(environment["REPOINT_CONFIG_INLINE"], bundle["configuration"])
        same(policies["repoint"], bundle["policy"])
        second = variables(self.world, "repoint", REGIONS[1])["REPOINT_CONFIG_INLINE"]
        same(second, json.loads((self.folder / inputs["second_region"]["bundle_file"]).read_text())["configuration"])
        roles = {it["RoleName"] for it in aws("iam").list_roles()["Roles"]}
        has(roles, "repoint-us-east-1")
        has(roles, "repoint-us-west-2")
        rules = aws("ec2").describe_security_group_rules()["SecurityGroupRules"]
        let_in = [it for it in rules if it["GroupId"] == inputs["database_security_group_id"] and not it["IsEgress"]]
        same([it["FromPort"] for it in let_in], [8008])
        alarms = aws("cloudwatch").describe_alarms()["MetricAlarms"]
        same({it["AlarmName"] for it in alarms}, ALARMS)
        same({it for alarm in alarms for it in alarm["AlarmActions"]}, {inputs["alert_topic_arn"]})

    def parting(self, example):
        """Another configuration is another version, and the alias goes back to the one before; and nothing calls it: as for
        a first look by hand."""
        path = example.folder / "test.auto.tfvars.json"
        called = lambda: self.world.aws("lambda").get_alias(FunctionName="repoint", Name="live")["FunctionVersion"]
        given = json.loads(path.read_text())
        file = example.folder / given["bundle_file"]
        bundle = json.loads(file.read_text())
        file.write_text(json.dumps({**bundle, "configuration": bundle["configuration"] + "\n# changed\n"}))
        example.apply()
        same(called(), "2")
        path.write_text(json.dumps({**given, "function_version": "1"}))
        example.apply()
        example.nothing_to_do()
        same(called(), "1")
        path.write_text(json.dumps({**json.loads(path.read_text()), "triggers_enabled": False}))
        example.apply()
        example.nothing_to_do()
        aws, topic = self.world.aws, example.outputs()["trigger_topic_arn"]
        same(aws("scheduler").get_schedule(Name="all", GroupName="repoint")["State"], "DISABLED")
        same(aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"], [])
        # Memory is not deleted by mistake.
        table = "-target=module.repoint.aws_dynamodb_table.this"
        has(example.terraform("destroy", table, "-auto-approve", "-input=false", expected=(1,)), "DeletionProtection")
        path.write_text(json.dumps({**json.loads(path.read_text()), "table_deletion_protection": False}))
        example.apply()


EXAMPLES = {"complete": Complete, "existing": Existing, "two-regions": TwoRegions, "fleet": Fleet}


if __name__ == "__main__":
    main()
