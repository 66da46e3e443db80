"""The example `fleet`: ten thousand clusters in shards, and what a plan says of numbers that cannot be."""

import json
import zipfile

from account import REGIONS, bundle, common_resources, has, same
from terraform_refusals import Instances

COUNT = 10_000
HEAD = "[aws]\nlimit_percent = {share}\n"
ENTRY = '[[cluster]]\nscope = "{name}"\n\n[[cluster.target_group]]\narn = "{arn}"\nstrategy = "{strategy}"\n\n'


class Fleet:
    def __init__(self, world):
        self.world = world
        self.folder = world.folder_of("fleet")

    def prepared(self, inputs):
        """What is not given is made: a fleet of ten thousand clusters."""
        if "bundle_file" not in inputs:
            account = self.world.aws("sts").get_caller_identity()["Account"]
            file = self.folder / "fleet.json"
            file.write_text(json.dumps(of_fleet(account, COUNT)))
            inputs = {**inputs, "bundle_file": file.name}
        configuration = json.loads((self.folder / inputs["bundle_file"]).read_text())["configuration"]
        layer = self.folder / "layer.zip"
        with zipfile.ZipFile(layer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("repoint.toml", configuration)
        around = common_resources(self.world, REGIONS[0])
        network = {"vpc_id": around["vpc_id"], "subnet_ids": around["subnet_ids"], "patroni_cidr_blocks": ["10.0.0.0/8"]}
        return {**network, **inputs, "keep_configurations": False, "table_deletion_protection": False}

    def read_back(self, inputs, outputs, environment, policies):
        aws, numbers = self.world.aws, outputs["numbers"]
        given = json.loads((self.folder / inputs["bundle_file"]).read_text())
        clusters = given["clusters"]
        if len(clusters) == COUNT:
            # 2.2 reads a second for 240 s, twice at a time; 4 * 22 % * 2 writes a second, of which a failover takes two.
            same(numbers, {
                "clusters": COUNT, "share_percent": 22, "clusters_per_shard": 527, "shards": 19, "round_minutes": 60,
                "failovers_per_minute": 52,
            })
        schedules = aws("scheduler").list_schedules(GroupName="repoint")["Schedules"]
        same(len(schedules), numbers["shards"])
        schedules = [aws("scheduler").get_schedule(Name=it["Name"], GroupName="repoint") for it in schedules]
        shards = [json.loads(it["Target"]["Input"])["cluster"] for it in schedules]
        same(sorted(name for shard in shards for name in shard), clusters)
        # In each minute two begin at most.
        starts = [it["ScheduleExpression"] for it in schedules]
        assert max(starts.count(it) for it in starts) <= 2, starts

        limit = aws("lambda").get_function_concurrency(FunctionName=outputs["function_name"])
        function = aws("lambda").get_function(FunctionName=outputs["function_name"])["Configuration"]
        same((limit["ReservedConcurrentExecutions"], function["Timeout"], len(function["Layers"])), (4, 300, 1))
        same(environment, {})
        (mapping,) = aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        same((mapping["FunctionArn"], mapping["ScalingConfig"]), (function["FunctionArn"] + ":live", {"MaximumConcurrency": 2}))
        subscribed = aws("sns").list_subscriptions_by_topic(TopicArn=outputs["trigger_topic_arn"])["Subscriptions"]
        same([(it["Protocol"], it["Endpoint"]) for it in subscribed], [("sqs", mapping["EventSourceArn"])])

        # The printed policy, with the beginning of names.
        short = {it["Sid"]: it for it in policies["repoint"]["Statement"]}
        same(list(short), [it["Sid"] for it in given["policy"]["Statement"]])
        same([it.rsplit(":", 1)[1] for it in short["MoveTargets"]["Resource"]], ["targetgroup/pg-*"])
        same(short["ReadWriteState"]["Condition"], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["pg-*"]}})
        has({it["Sid"] for it in policies["lambda"]["Statement"]}, "ReceiveCallbacks")

    def parting(self, _):
        """Nothing has to be prepared."""


def of_fleet(account, count, share=22, strategy="exclusive", **changes):
    """What `repoint bundle` prints of so many clusters with a group each."""
    names = [f"pg-{number:05}" for number in range(count)]
    arns = [f"arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/{name}/057ddce98af07a33" for name in names]
    entries = (ENTRY.format(name=name, arn=arn, strategy=strategy) for name, arn in zip(names, arns))
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ReadTargetGroups", "Effect": "Allow", "Action": ["elasticloadbalancing:DescribeTargetHealth"], "Resource": ["*"]},
            {"Sid": "MoveTargets", "Effect": "Allow", "Action": ["elasticloadbalancing:RegisterTargets"], "Resource": arns},
            {
                "Sid": "ReadWriteState",
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
                "Resource": [f"arn:aws:dynamodb:us-east-1:{account}:table/repoint"],
                "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": names}},
            },
        ],
    }
    return bundle(account, **{
        "clusters": names,
        "scopes": names,
        "target_groups": arns,
        "listeners": [],
        "policy": policy,
        "configuration": HEAD.format(share=share) + "".join(entries),
        **changes,
    })


def numbers(world):
    """Which fleets can be checked, and what a plan says of the others."""
    account = world.aws("sts").get_caller_identity()["Account"]

    def fleet(count, share=22, inputs={}, **changes):
        return {"bundle": json.dumps(of_fleet(account, count, share, **changes)), "prefix": "pg-", **inputs}

    def thousand(share=2, inputs={}, **changes):
        """A tenth of the clusters with a tenth of the limits: the same shards, and a plan of seconds."""
        return fleet(1000, share, {"limit_percent": 9, **inputs}, **changes)

    here = [f"arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/pg-{it}/057ddce98af07a33" for it in range(1000)]
    away = [it.replace("us-east-1", "eu-west-1") for it in here]
    fine = [
        fleet(1),
        fleet(COUNT, 9, {"shards_at_once": 8, "minutes_per_shard": 10, "round_minutes_at_most": 30}),
        # Twice as many endpoints, in two Regions.
        thousand(target_groups=here + away),
        thousand(strategy="warm", inputs={"round_minutes_at_most": 120}),
        fleet(100, 45, {"limit_percent": 180, "clusters_per_shard": 10}),
    ]
    refused = [
        (thousand(90), "must have `limit_percent = 2` under `[aws]` (9 % for 4 invocations at a time), but it has 90"),
        (thousand(configuration=""), "but it has none, which means 90"),
        (thousand(0, {"shards_at_once": 100}), "leave each of them less than 1 % of AWS's limits"),
        (thousand(inputs={"round_minutes_at_most": 30}), "makes a round of 60 minutes; `round_minutes_at_most` is 30"),
        (thousand(strategy="warm"), "makes a round of 120 minutes; `round_minutes_at_most` is 60"),
        (thousand(target_groups=here + here), "makes a round of 120 minutes; `round_minutes_at_most` is 60"),
        (thousand(inputs={"clusters_per_shard": 1000}), "an invocation can check 48 in 240 s"),
        (fleet(1, 1, {"limit_percent": 4, "minutes_per_shard": 2}, target_groups=here[:10]), "one cluster takes 10"),
        (fleet(2, clusters=["pg-1", "robin"]), "1 names do not begin with `pg-`, such as robin"),
        (fleet(2, inputs={"prefix": "Pg"}), "must have lower-case letters"),
        (fleet(2, inputs={"minutes_per_shard": 7}), "whole parts of an hour"),
        (fleet(2, inputs={"callbacks_at_once": 1}), "the least that Lambda accepts of a queue"),
        (fleet(2, inputs={"shards_at_once": 0}), "a whole number from 1"),
        (fleet(2, bundle=2), "not a bundle for this module"),
    ]
    accepted = Instances(world, "accepted", fine, "fleet")
    accepted.example.terraform("plan", "-input=false")
    Instances(world, "refused", [inputs for inputs, _ in refused], "fleet").are_refused([reason for _, reason in refused])
