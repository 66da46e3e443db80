"""The example `two-regions`: what is made in each Region, and between them."""

import base64
import json
import pathlib
import re
import subprocess
import tempfile

from account import HERE, REGIONS, same, trusts_lambda_for, variables

CONFIGURATION = HERE.parent.parent / "infra" / "haproxy" / "haproxy.cfg"
# Where the lab's own cluster is not.
MEMBERS = [{"pg1": "10.90.0.11", "pg2": "10.90.1.11"}, {"pg3": "10.91.0.11"}]


class TwoRegions:
    def __init__(self, world):
        self.world = world

    def prepared(self, inputs):
        inputs = {"first": {"members": MEMBERS[0]}, "second": {"members": MEMBERS[1]}} | inputs
        images = {side: {**inputs[side], "image_id": "ami-12345678"} for side in ("first", "second")}
        return inputs | images | {"deletion_protection": False}

    def read_back(self, inputs, outputs, _, policies):
        sides = [(REGIONS[0], "first", "second"), (REGIONS[1], "second", "first")]
        blocks = {"first": "10.90.0.0/16", "second": "10.91.0.0/16"}
        for region, here, there in sides:
            ec2, made = self.world.aws("ec2", region), outputs[here]
            table = ec2.describe_route_tables(RouteTableIds=[made["route_table_id"]])["RouteTables"][0]
            (route,) = [it for it in table["Routes"] if "VpcPeeringConnectionId" in it]
            same(route["DestinationCidrBlock"], blocks[there])
            (peering,) = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
            same((peering["Status"]["Code"], peering["VpcPeeringConnectionId"]), ("active", route["VpcPeeringConnectionId"]))
            self.lets_in(ec2, made["database_security_group_id"], blocks[there])
            self.has_a_pair(region, made)
            self.can_be_configured(made["haproxy"]["files"], inputs, here, there)
            configured = variables(self.world, made["function_name"], region)["REPOINT_CONFIG_INLINE"]
            same(configured, made["configuration"])
            for name in ("target_group_arn", "trigger_topic_arn", "alert_topic_arn"):
                assert f'"{made[name]}"' in configured, (name, configured)
            same(set(re.findall("us-[a-z]+-[0-9]", configured)), {region})
            function = self.world.aws("lambda", region).get_function(FunctionName=made["function_name"])
            trusts_lambda_for(self.world, made["role_name"], function["Configuration"]["FunctionArn"])
        written = json.dumps(policies["repoint"])
        assert outputs["zone_id"] in written and outputs["first"]["target_group_arn"] in written, written
        self.has_one_name(outputs)

    def lets_in(self, ec2, group, block):
        """The other Region by its addresses, and this one by its groups."""
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
        inbound = [it for it in rules if not it["IsEgress"]]
        same(sorted(it["FromPort"] for it in inbound if it.get("CidrIpv4") == block), [5432, 8008])
        # The members, the load balancer and HAProxy on both ports; the function asks Patroni.
        same(sorted(it["FromPort"] for it in inbound if "ReferencedGroupInfo" in it), 3 * [5432] + 4 * [8008])

    def has_a_pair(self, region, made):
        """Two HAProxies in two zones behind the Region's load balancer, with no rights in AWS."""
        autoscaling, ec2 = self.world.aws("autoscaling", region), self.world.aws("ec2", region)
        names = [made["haproxy"]["autoscaling_group_name"]]
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)["AutoScalingGroups"]
        same((group["HealthCheckType"], len(group["Instances"])), ("EC2", 2))
        same(set(group["VPCZoneIdentifier"].split(",")), set(made["subnet_ids"]))
        same(set(group["TargetGroupARNs"]), {it["arn"] for it in made["haproxy"]["target_groups"].values()})
        template = group["Instances"][0]["LaunchTemplate"]["LaunchTemplateId"]
        (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        assert "IamInstanceProfile" not in data, data
        first, text = base64.b64decode(data["UserData"]).decode().split("\n", 1)
        same(first, "#cloud-config")
        written = {it["path"]: it["content"] for it in json.loads(text)["write_files"]}
        same(written, made["haproxy"]["files"])
        checks = self.world.aws("elbv2", region).describe_target_groups(TargetGroupArns=group["TargetGroupARNs"])
        paths = {it["HealthCheckPath"]: it["HealthCheckPort"] for it in checks["TargetGroups"]}
        same(paths, {"/writer": "8405", "/reader": "8405"})

    def can_be_configured(self, files, inputs, here, there):
        """Each setting of infra/haproxy is in the rendered configuration, which HAProxy accepts; a member of the other Region
        is read from last."""
        text = files["/etc/haproxy/haproxy.cfg"]
        own = {**inputs[here]["members"], **inputs[there]["members"]}
        servers = [it.split() for it in text.splitlines() if it.strip().startswith("server ")]
        same({it[1]: it[2] for it in servers}, {name: f"{address}:5432" for name, address in own.items()})
        same({it[1] for it in servers if it[-1] == "backup"}, set(inputs[there]["members"]))
        settings = lambda text: {
            line.strip() for line in text.splitlines() if line.strip() and not re.match(r"\s*(#|server )", line)
        }
        infra = {it.replace("user postgres", "user repoint") for it in settings(CONFIGURATION.read_text())}
        same(infra - settings(text), set())
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "haproxy.cfg"
            file.write_text(re.sub("/(run|var/lib)/haproxy", folder, text).replace(" user repoint", ""))
            checked = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", file], capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr

    def has_one_name(self, outputs):
        """It leads to the load balancer of either Region, as long as the alarm there says that it has a primary."""
        route53 = self.world.aws("route53")
        zone = route53.get_hosted_zone(Id=outputs["zone_id"])
        found = {(it["VPCId"], it["VPCRegion"]) for it in zone["VPCs"]}
        same(found, {(outputs["first"]["vpc_id"], REGIONS[0]), (outputs["second"]["vpc_id"], REGIONS[1])})
        sets = route53.list_resource_record_sets(HostedZoneId=outputs["zone_id"])["ResourceRecordSets"]
        named = {it["Region"]: it for it in sets if it["Name"] == f"{outputs['writer']}."}
        same(set(named), set(REGIONS))
        for region, side in zip(REGIONS, ("first", "second")):
            same(named[region]["AliasTarget"]["DNSName"].strip("."), outputs[side]["load_balancer"]["dns_name"])
            config = route53.get_health_check(HealthCheckId=named[region]["HealthCheckId"])["HealthCheck"]["HealthCheckConfig"]
            alarm = {"Region": region, "Name": outputs[side]["writer_alarm_name"]}
            same((config["Type"], config["AlarmIdentifier"]), ("CLOUDWATCH_METRIC", alarm))
            same(config["InsufficientDataHealthStatus"], "Unhealthy")
            (alarm,) = self.world.aws("cloudwatch", region).describe_alarms(AlarmNames=[alarm["Name"]])["MetricAlarms"]
            same((alarm["MetricName"], alarm["TreatMissingData"]), ("HealthyHostCount", "breaching"))

    def parting(self, _):
        """Nothing has to be prepared."""
