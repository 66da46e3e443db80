"""What people run today: a function around boto3 that makes a target group and a failover pair follow Patroni's primary.
lambda_figures.rs measures it beside `bootstrap`. It remembers nothing, and does not ask who else claims to be primary."""

import os

import boto3
import urllib3

MEMBERS = os.environ["MEMBERS"].split()
GROUP, ZONE, NAME, TOPIC = (os.environ[name] for name in ("GROUP", "ZONE", "NAME", "TOPIC"))
elb, dns, sns = (boto3.client(service) for service in ("elbv2", "route53", "sns"))
http = urllib3.PoolManager(timeout=2, retries=False)


def primary():
    for member in MEMBERS:
        try:
            if http.request("GET", f"{member}/primary").status == 200:
                return member
        except urllib3.exceptions.HTTPError:
            continue
    raise RuntimeError("no member is primary")


def handler(event, context):
    members = http.request("GET", f"{primary()}/cluster").json()["members"]
    leader = next(it for it in members if it["role"] == "leader")
    standbys = [it["host"] for it in members if it["state"] == "streaming"]

    health = elb.describe_target_health(TargetGroupArn=GROUP)["TargetHealthDescriptions"]
    wanted = {"Id": leader["host"], "Port": leader["port"]}
    listed = [{"Id": it["Target"]["Id"], "Port": it["Target"]["Port"]} for it in health]
    surplus = [it for it in listed if it != wanted]
    if wanted not in listed:
        elb.register_targets(TargetGroupArn=GROUP, Targets=[wanted])
    if surplus:
        elb.deregister_targets(TargetGroupArn=GROUP, Targets=surplus)

    changes = []
    page = dns.list_resource_record_sets(HostedZoneId=ZONE, StartRecordName=NAME, StartRecordType="A")
    for record in page["ResourceRecordSets"]:
        if record["Name"].rstrip(".") == NAME and "Failover" in record:
            hosts = [leader["host"]] if record["Failover"] == "PRIMARY" else standbys
            if record["ResourceRecords"][0]["Value"] not in hosts and hosts:
                moved = record | {"ResourceRecords": [{"Value": hosts[0]}]}
                changes.append({"Action": "UPSERT", "ResourceRecordSet": moved})
    if changes:
        dns.change_resource_record_sets(HostedZoneId=ZONE, ChangeBatch={"Changes": changes})

    changed = wanted not in listed or bool(surplus or changes)
    if changed:
        sns.publish(TopicArn=TOPIC, Subject=f"PostgreSQL is at {leader['name']}", Message=str(wanted))
    print("pass ended", flush=True)
    return {"outcome": "changed" if changed else "converged"}
