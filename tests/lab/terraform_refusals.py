"""What a plan says of a mistake, before anything is made."""

import json
import re
import shutil

from account import REGIONS, Example, bundle, common_resources, has, same

VPC = {"id": "vpc-1", "subnet_ids": ["subnet-1"], "patroni_cidr_blocks": ["10.0.0.0/16"]}


def refusals(world):
    account = world.aws("sts").get_caller_identity()["Account"]
    bucket = {"bucket": "code", "key": "repoint/1.zip"}

    def changed(**changes):
        return {"bundle": json.dumps(bundle(account, **changes))}

    around = common_resources(world, REGIONS[0])
    inside = {**VPC, "id": around["vpc_id"], "subnet_ids": around["subnet_ids"]}
    services = ["elasticloadbalancing", "sns", "route53", "dynamodb"]
    endpoints = {"services": services, "route_table_ids": ["rtb-1"]}
    topic = f"arn:aws:sns:us-east-1:{account}:repoint-alerts"
    away = topic.replace("us-east-1", "eu-west-1")
    layer = f"arn:aws:lambda:us-east-1:{account}:layer:c:1"
    role = {"arn": f"arn:aws:iam::{account}:role/service/mine"}
    long = "[[cluster]]" + "#" * 5000
    fine = [
        {},
        changed(trigger_topic=topic.replace("alerts", "look")),
        changed(alert_topics=[topic, away]),
        {**changed(configuration=long), "configuration_layer": {"arn": layer}, "layers": [layer] * 4},
        {"schedules": {"nightly": {"expression": "cron(0 3 * * ? *)", "clusters": ["batman"]}}},
        {"kms_key": {"arn": f"arn:aws:kms:us-east-1:{account}:key/0f5e3c1a"}, "vpc": VPC, "reserved_concurrency": 0},
        {"vpc": {**VPC, "https_cidr_blocks": ["10.9.0.0/16"], "patroni_cidr_blocks": ["fd00::/64"]}},
        {"zip": None, "zip_in_s3": {**bucket, "version": "v1"}, "log_group_class": "INFREQUENT_ACCESS"},
        {"role": role, "schedule_role": role, "environment": {"HTTPS_PROXY": "http://proxy:3128"}},
    ]
    refused = [
        ({"name": "Repoint"}, "becomes part of the names"),
        ({"zip": "no.zip"}, "There is no file `no.zip`"),
        ({"zip": None}, "either as `zip` (a path) or as `zip_in_s3`"),
        ({"zip_in_s3": bucket}, "either as `zip` (a path) or as `zip_in_s3`"),
        ({"zip": None, "zip_in_s3": {**bucket, "bucket": "s3://code"}}, "without s3://"),
        ({"architecture": "arm"}, "`x86_64` or `arm64`"),
        ({"bundle": "bundle.json"}, "file(\"bundle.json\")"),
        ({"bundle": '[[cluster]]\nscope = "batman"'}, "file(\"bundle.json\")"),
        (changed(bundle=2), "the `repoint` of the same version"),
        (changed(clusters=[]), "not a bundle for this module"),
        (changed(configuration=long), "but the limit is 4096"),
        ({"layers": [layer] * 6}, "at most 5 layers"),
        ({"layers": [layer[:-2]]}, "end in a number"),
        ({"environment": {"REPOINT_CONFIG": "x"}}, "belong in repoint.toml"),
        (changed(table="other"), "must keep its state in the table `repoint`, but it uses other"),
        (changed(table=None), "but it uses none"),
        ({"table": {"name": "given"}}, "must keep its state in the table `given`"),
        (changed(alert_topics=[topic + "2"]), "must publish alerts to"),
        (changed(alert_topics=[]), "uses no topic"),
        (changed(trigger_topic=topic), "which does not call this function"),
        (changed(policy={"Statement": ["x" * 10000]}), "IAM's limit is 10240"),
        ({"role": {"arn": "mine"}}, "must be the ARN of a role"),
        ({"schedule_role": {"arn": "mine"}}, "must be the ARN of a role"),
        ({"role_path": "service"}, "begin and end with a slash"),
        ({"permissions_boundary": {"arn": "boundary"}}, "the ARN of a managed policy"),
        ({"log_group_class": "INFREQUENT_ACCESS", "dashboard_enabled": True}, "CloudWatch takes no metrics out of"),
        ({"log_group_class": "INFREQUENT_ACCESS", "metric_alarms_enabled": True}, "CloudWatch takes no metrics out of"),
        ({"log_group_class": "COLD"}, "`STANDARD` or `INFREQUENT_ACCESS`"),
        ({"schedules": {"all": {"expression": "every minute"}}}, "rate(5 minutes)"),
        ({"schedules": {"all": {"expression": "rate(1 minutes)"}}}, "rate(5 minutes)"),
        ({"schedules": {"all": {"expression": "rate(5 minutes)"}}}, "raised between two invocations"),
        ({"schedules": {"all": {"clusters": ["robin"]}}}, "unknown clusters robin; the configuration has batman"),
        ({"log_retention_days": 31}, "must be 0 (for ever)"),
        ({"vpc": {**VPC, "patroni_cidr_blocks": ["10.0.0.0"]}}, "10.0.1.11/32"),
        ({"vpc": {**VPC, "patroni_cidr_blocks": []}}, "Patroni's addresses are unknown"),
        ({"vpc": {**VPC, "subnet_ids": []}}, "`vpc.subnet_ids` is empty"),
        ({"endpoints": {"services": ["sns"]}}, "there is none: set `vpc`"),
        ({"endpoints": {"services": ["s3"]}}, "may contain elasticloadbalancing"),
        ({"endpoints": {"services": ["dynamodb"]}}, "a gateway, reached by routes"),
        ({"alert_topic": {"arn": topic + ".fifo"}}, "a standard SNS topic"),
        ({"alert_topic": {"arn": away}, **changed(alert_topics=[away])}, "Alarms reach only topics of their own Region"),
        ({"kms_key": {"arn": "alias/mine"}}, "not of an alias"),
        ({"trigger_topic": {"arn": topic}, "alert_topic": {"arn": topic}}, "is both `trigger_topic` and `alert_topic`"),
        ({"callback_batches": {"at_once": 1}}, "`callback_batches.at_once` from 2 to 1000"),
        ({"trigger_topic": {"arn": away}}, "but the function is in us-east-1. Set it to a topic"),
        ({"vpc": inside, "endpoints": {"services": ["elasticloadbalancing", "sns"]}}, "would not reach dynamodb, route53,"),
        ({"vpc": inside, "endpoints": endpoints, **changed(services=["ec2", *services])}, "would not reach ec2,"),
        ({"vpc": inside, "endpoints": endpoints, **changed(regions=["us-east-1", "us-west-2"])}, "has load balancers in us-west-2"),
    ]

    given = {"zip": str(world.zip), **changed()}
    accepted = Instances(world, "accepted", [{**given, **inputs} for inputs in fine])
    accepted.example.terraform("plan", "-input=false")

    instances = Instances(world, "refused", [{**given, **inputs} for inputs, _ in refused])
    instances.are_refused([reason for _, reason in refused])


def linted(world):
    """Formatted as Terraform formats, and each module valid by itself, with every warning an error."""
    parts = [world.module / name for name in ("fleet", "haproxy", "target-group")]
    for folder in (world.module, *parts, *sorted((world.module / "examples").iterdir())):
        module = Example(world, folder)
        module.terraform("fmt", "-check", "-diff")
        said = json.loads(module.terraform("validate", "-json"))
        same((folder.name, said["diagnostics"]), (folder.name, []))
    # It does look.
    (world.module / "wrong.tf").write_text('output "wrong" {\nvalue = var.nothing\n}\n')
    module = Example(world, world.module, is_new=False)
    has(module.terraform("fmt", "-check", expected=(3,)), "wrong.tf")
    has(module.terraform("validate", expected=(1,)), "undeclared input variable")


class Instances:
    """A root module that uses the module many times, so that one plan does for all of them. Each use has a name of its own
    for the module's folder: errors tell where they are written, and not always of what they speak."""

    def __init__(self, world, name, instances, module="."):
        root = world.folder / name
        root.mkdir()
        self.files = {f"case{number}": root / f"case{number}.tf.json" for number in range(len(instances))}
        known = set(re.findall(r'^variable "(\w+)"', (world.module / module / "variables.tf").read_text(), re.M))
        for (case, file), inputs in zip(self.files.items(), instances):
            same(set(inputs) - known, set())
            # In a JSON file `${` would begin a template.
            inputs = json.loads(json.dumps(inputs).replace("${", "$${"))
            file.write_text(json.dumps({"module": {case: {"source": f"../{name}-{case}", **inputs}}}))
            shutil.copytree(world.module / module, world.folder / f"{name}-{case}")
        (root / "main.tf.json").write_text(json.dumps({"provider": {"aws": {"region": REGIONS[0]}}}))
        self.example = Example(world, root)

    def are_refused(self, reasons):
        """Each for its reason. What cannot be right whatever the rest is keeps Terraform from looking at the rest."""
        reasons = dict(zip(self.files, reasons))
        while reasons:
            found = self.errors()
            assert found, f"nothing is said of {reasons}"
            for name, errors in found.items():
                has(errors, reasons.pop(name))
                self.files[name].unlink()

    def errors(self):
        """What a plan says, by whom it is said of."""
        output = {}
        for line in self.example.terraform("plan", "-input=false", "-json", expected=(0, 1)).splitlines():
            said = json.loads(line).get("diagnostic", {})
            if said.get("severity") == "error":
                case = re.search(r"case\d+", said["range"]["filename"])[0]
                words = " ".join(f"{said['summary']} {said['detail']}".split())
                output[case] = f"{output.get(case, '')}{words}\n"
        return output
