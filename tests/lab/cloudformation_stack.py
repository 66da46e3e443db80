"""The stack `repoint`, with what it is given: code in a bucket, and a policy."""

import json
import pathlib
import subprocess
import sys

from account import MODULE, REGIONS, has, same

TEMPLATE = MODULE.parent / "cloudformation" / "repoint.yaml"
MONITORING = TEMPLATE.with_name("monitoring.yaml")
BIN = pathlib.Path(sys.executable).parent
NOTHING_NEW = "No changes to deploy. Stack repoint is up to date"


class Stack:
    """By AWS's command line, as infra/cloudformation/README.md says."""

    def __init__(self, world):
        self.world = world
        # Also for whoever deletes the stack in another process.
        self.parameters = world.folder / "parameters.json"

    def aws(self, *arguments, expected=0):
        command = [sys.executable, BIN / "aws", "cloudformation", *arguments, "--region", REGIONS[0]]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, env=self.world.variables, **streams)
        if done.returncode != expected:
            sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def deploy(self, expected=0, **parameters):
        """Parameters that are not given stay as they are."""
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        return self.aws(
            *("deploy", "--stack-name", "repoint", "--template-file", str(TEMPLATE)),
            *("--capabilities", "CAPABILITY_IAM", "--parameter-overrides", *overrides),
            expected=expected,
        )

    def make(self, configuration, policy, **parameters):
        """Deploys it, and once more, which changes nothing."""
        self.put_code("bootstrap.zip", self.world.zip.read_bytes())
        iam = self.world.aws("iam")
        arn = iam.create_policy(PolicyName="repoint", PolicyDocument=policy)["Policy"]["Arn"]
        code = {"CodeBucket": "code", "CodeKey": "bootstrap.zip"}
        parameters = {**code, "Configuration": configuration, "PolicyArns": arn, **parameters}
        self.parameters.write_text(json.dumps(parameters))
        self.deploy(**parameters)
        has(self.deploy(expected=255, **parameters), NOTHING_NEW)
        return self.outputs()

    def put_code(self, key, zipped):
        s3 = self.world.aws("s3")
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key=key, Body=zipped)

    def outputs(self):
        stacks = self.world.aws("cloudformation").describe_stacks(StackName="repoint")["Stacks"]
        return {it["OutputKey"]: it["OutputValue"] for it in stacks[0]["Outputs"]}

    def delete(self):
        # Protected, the table would stand in the way.
        self.deploy(TableDeletionProtection="false")
        self.aws("delete-stack", "--stack-name", "repoint")
        self.aws("wait", "stack-delete-complete", "--stack-name", "repoint")
        arn = json.loads(self.parameters.read_text())["PolicyArns"]
        self.world.aws("iam").delete_policy(PolicyArn=arn)


def state(world):
    return world.aws("scheduler").get_schedule(Name="all", GroupName="repoint")["State"]


def subscribed(world, outputs):
    subscriptions = world.aws("sns").list_subscriptions_by_topic(TopicArn=outputs["TriggerTopicArn"])["Subscriptions"]
    return [it["Endpoint"] for it in subscriptions]


def ringing(world):
    """Whether the alarm for want of success would tell."""
    found = world.aws("cloudwatch").describe_alarms(AlarmNames=["repoint-no-success"])["MetricAlarms"]
    return {it["ActionsEnabled"] for it in found}


def alarms(world, outputs):
    found = world.aws("cloudwatch").describe_alarms()["MetricAlarms"]
    same({arn for it in found for arn in it["AlarmActions"] + it["OKActions"]}, {outputs["AlertTopicArn"]})
    return {it["AlarmName"] for it in found}


def rules(world, group):
    """Of a security group: which way, to which port, who."""
    found = set()
    for it in world.aws("ec2").describe_security_group_rules()["SecurityGroupRules"]:
        if it["GroupId"] == group:
            peer = it.get("CidrIpv4") or it.get("PrefixListId") or it["ReferencedGroupInfo"]["GroupId"]
            found.add(("out" if it["IsEgress"] else "in", it["FromPort"], peer))
    return found
