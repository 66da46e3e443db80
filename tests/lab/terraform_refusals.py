"""What a plan says of a mistake, before anything is made."""

import json
import re
import shutil

from account import CONFIGURATION, POLICY, REGIONS, Example, has, same, what_most_people_have

VPC = {"id": "vpc-1", "subnet_ids": ["subnet-1"], "patroni_cidr_blocks": ["10.0.0.0/16"]}


def refusals(world):
    account = world.aws("sts").get_caller_identity()["Account"]
    configuration, policy = CONFIGURATION.format(account=account), POLICY.format(account=account)

    def changed(*pairs, of=configuration):
        for old, new in pairs:
            has(of, old)
            of = of.replace(old, new)
        return of

    around = what_most_people_have(world, REGIONS[0])
    inside = {**VPC, "id": around["vpc_id"], "subnet_ids": around["subnet_ids"]}
    instances = changed(('"sns:Publish"', '["sns:Publish", "ec2:DescribeInstances"]'), of=policy)
    elsewhere = f'"arn:aws:elasticloadbalancing:us-west-2:{account}:targetgroup/pg/057ddce98af07a33"'
    spanning = {
        "configuration": f"{configuration}\n[[cluster.target_group]]\narn = {elsewhere}\n",
        "policy": changed(('"Resource": [', f'"Resource": [{elsewhere},'), of=policy),
    }
    everything = ["elasticloadbalancing", "sns", "route53", "dynamodb"]
    endpoints = {"services": everything, "route_table_ids": ["rtb-1"]}
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
        ({"vpc": inside, "endpoints": {"services": ["elasticloadbalancing", "sns"]}}, "would not reach dynamodb, route53,"),
        ({"vpc": inside, "policy": instances, "endpoints": endpoints}, "would not reach ec2,"),
        ({"vpc": inside, "endpoints": endpoints, **spanning}, "names load balancers in us-west-2"),
    ]

    given = {"zip": str(world.zip), "configuration": configuration, "policy": policy}
    accepted = Instances(world, "accepted", [{**given, **inputs} for inputs in fine])
    accepted.example.terraform("plan", "-input=false")

    # What cannot be right whatever the rest is keeps Terraform from looking at the rest.
    instances = Instances(world, "refused", [{**given, **inputs} for inputs, _ in refused])
    reasons = dict(zip(instances.files, (reason for _, reason in refused)))
    while reasons:
        told = instances.errors()
        assert told, f"nothing is said of {reasons}"
        for name, errors in told.items():
            has(errors, reasons.pop(name))
            instances.files[name].unlink()


class Instances:
    """A root module that uses the module many times, so that one plan does for all of them. Each use has a name of its own
    for the module's folder: errors tell where they are written, and not always of what they speak."""

    def __init__(self, world, name, instances):
        root = world.folder / name
        root.mkdir()
        self.files = {f"case{number}": root / f"case{number}.tf.json" for number in range(len(instances))}
        known = set(re.findall(r'^variable "(\w+)"', (world.module / "variables.tf").read_text(), re.M))
        for (case, file), inputs in zip(self.files.items(), instances):
            same(set(inputs) - known, set())
            # In a JSON file `${` would begin a template.
            inputs = json.loads(json.dumps(inputs).replace("${", "$${"))
            file.write_text(json.dumps({"module": {case: {"source": f"../{name}-{case}", **inputs}}}))
            shutil.copytree(world.module, world.folder / f"{name}-{case}")
        (root / "main.tf.json").write_text(json.dumps({"provider": {"aws": {"region": REGIONS[0]}}}))
        self.example = Example(world, root)

    def errors(self):
        """What a plan says, by whom it is said of."""
        told = {}
        for line in self.example.terraform("plan", "-input=false", "-json", expected=(0, 1)).splitlines():
            said = json.loads(line).get("diagnostic", {})
            if said.get("severity") == "error":
                case = re.search(r"case\d+", said["range"]["filename"])[0]
                words = " ".join(f"{said['summary']} {said['detail']}".split())
                told[case] = f"{told.get(case, '')}{words}\n"
        return told
