"""moto's server, mended where it is kinder or stranger than AWS; moto_lambda and moto_cloudformation do their part."""

import inspect
import io
import json
import threading
import time
from xml.sax.saxutils import escape

import moto.elbv2.models
import moto_cloudformation  # noqa: F401, mends when it is imported
import moto_lambda  # noqa: F401, mends when it is imported
from moto.awslambda.models import LambdaFunction
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError
from moto.dynamodb.models.table import Table
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.utils import filter_dict_attribute_mapping as filters
from moto.elbv2.models import ELBv2Backend
from moto.iam.access_control import IAMPolicyStatement, IAMRequest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.route53.exceptions import (
    DnsNameInvalidForZone,
    ResourceRecordAlreadyExists,
    Route53ClientError,
)
from moto.route53.models import HealthCheck, RecordSet, Route53Backend
from moto.route53.responses import Route53
from moto.server import main
from moto.sns.models import SNSBackend
from moto.sqs.models import Queue

# The lab itself, as the owner of the account: nothing is refused to it.
ROOT_KEY = "lab"
DENIED = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError", "dynamodb": "AccessDeniedException"}
authorize = ActionAuthenticatorMixin._authenticate_and_authorize_action
serve = DomainDispatcherApplication.__call__
make_statement = IAMPolicyStatement.__init__
sign = IAMRequest._create_aws_request
put_item = Table.put_item
balancer_arn = moto.elbv2.models.make_arn_for_load_balancer
register_targets = ELBv2Backend.register_targets
deregister_targets = ELBv2Backend.deregister_targets
get_flag = Route53._get_bool_param
get_hosted_zone = Route53.get_hosted_zone
make_rule = SecurityGroupRule.__init__
make_health_check = Route53.create_health_check
health_check_config = HealthCheck.health_check_config.fget
make_interfaces = Instance.prep_nics
queue_attributes = Queue.attributes.fget
make_vpc_endpoint = VPCs.create_vpc_endpoint
get_topic = SNSBackend.get_topic
network_of = LambdaFunction.vpc_config.fget
rule_arguments = inspect.signature(make_rule)
writing = threading.Lock()


def authorize_but_root(responses, *request):
    if f"Credential={ROOT_KEY}/" not in responses.headers.get("Authorization", ""):
        authorize(responses, *request)


def keep_what_was_sent(application, environ, start_response):
    sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ.update({"wsgi.input": io.BytesIO(sent), "lab.sent": sent})
    return serve(application, environ, start_response)


def sign_what_was_sent(request):
    """moto signs what it has read: the headers for want of a body, and a form in which a space has become a plus."""
    read, request._data = request._data, {}
    request._body = request._headers.environ["lab.sent"]
    try:
        return sign(request)
    finally:
        request._data = read


def make_statement_about_actions(statement, written):
    """moto compares `*` with a statement's resources, and holds no condition to be met. The action is all it can judge;
    the sandbox and a linter judge the rest."""
    whole = {"Resource": "*"} if "Resource" in written else {}
    make_statement(statement, {key: it for key, it in written.items() if key != "Condition"} | whole)


def deny(request):
    """moto has one code for all services, in an XML that only the clients of EC2 understand."""
    error = AccessDeniedError(user_arn=request._access_key.arn, action=request._action)
    code = DENIED.get(request._service, "AccessDenied")
    details = f"<Error><Code>{code}</Code><Message>{escape(error.message)}</Message></Error>"
    if request._service == "dynamodb":
        error.description = json.dumps({"__type": f"com.amazon.coral.service#{code}", "Message": error.message})
    elif request._service == "ec2":
        error.description = f"<Response><Errors>{details}</Errors></Response>"
    else:
        error.description = f"<ErrorResponse>{details}<RequestId>lab</RequestId></ErrorResponse>"
    raise error


def change_record_sets(backend, zone_id, changes):
    """Route 53 judges a batch by what stands in the zone, in order, and applies it whole or not at
    all. moto judges by a journal of earlier batches: it refuses what was created once before,
    deletes by identifier whatever the name, and takes an old value of a record for the present one.
    """
    zone = backend.get_hosted_zone(zone_id)
    standing = {(it.name, it.type, it.set_identifier): it for it in zone.rrsets}
    for change in changes:
        record = dict(change["ResourceRecordSet"])
        record["Name"] = record["Name"].strip(".") + "."
        record["ResourceRecords"] = [it["Value"] for it in record.get("ResourceRecords", [])]
        wanted = RecordSet(record)
        key = (wanted.name, wanted.type, wanted.set_identifier)
        if not wanted.name.endswith(zone.name.strip(".") + "."):
            raise DnsNameInvalidForZone(name=wanted.name, zone_name=zone.name)
        if change["Action"] == "DELETE":
            tried = f"Tried to delete resource record set [name='{key[0]}', type='{key[1]}'] but"
            if key not in standing:
                refuse(f"{tried} it was not found")
            if vars(standing[key]) != vars(wanted):
                refuse(f"{tried} the values provided do not match the current values")
            del standing[key]
        elif change["Action"] == "CREATE" and key in standing:
            raise ResourceRecordAlreadyExists(name=key[0], _type=key[1])
        else:
            standing[key] = wanted
    zone.rrsets[:] = standing.values()


def put_item_at_once(table, *args, **kwargs):
    """DynamoDB judges a condition and writes in one step. moto may answer another request between."""
    with writing:
        return put_item(table, *args, **kwargs)


def register_and_note(backend, target_group_arn, instances):
    """For whoever asks how soon: a line for each target, with the moment from which its group holds it."""
    register_targets(backend, target_group_arn, instances)
    moment = time.time()
    with open("moto.registrations", "a") as file:
        file.writelines(f"{moment:.6f} {target_group_arn} {it['Id']}\n" for it in instances)
    note_targets(backend, target_group_arn)


def deregister_and_note(backend, target_group_arn, instances):
    deregister_targets(backend, target_group_arn, instances)
    note_targets(backend, target_group_arn)


def note_targets(backend, target_group_arn):
    """For a load balancer that follows a group without asking: what the group holds now, the target registered last at the end."""
    targets = backend.target_groups[target_group_arn].targets.values()
    held = ",".join(f"{it['Id']}:{it['Port']}" for it in targets)
    with open("moto.targets", "a") as file:
        file.write(f"{time.time():.6f} {target_group_arn} {held}\n")


def network_arn(**of):
    """moto calls every load balancer an Application Load Balancer in its ARN. The lab has only the other kind."""
    return balancer_arn(**of).replace("/app/", "/net/")


def flag_of_zone(responses, name, *default):
    """For Route 53 a zone with a network is private; moto waits to be told."""
    if name == "HostedZoneConfig.PrivateZone" and responses._get_param("VPC.VPCId"):
        return True
    return get_flag(responses, name, *default)


def zone_with_vpcs(responses):
    """moto knows a private zone's networks, and leaves their names out of its answer."""
    answer = get_hosted_zone(responses)
    known = answer.result["VPCs"] or []
    answer.result["VPCs"] = [{"VPCId": it["vpc_id"], "VPCRegion": it["vpc_region"]} for it in known] or None
    return answer


def create_health_check(responses):
    """A health check that follows an alarm asks nothing itself: Route 53 gives back what was given, and moto adds to it how
    it would ask, and forgets the alarm."""
    answer = make_health_check(responses)
    config = responses._get_param("HealthCheckConfig")
    if config["Type"] == "CLOUDWATCH_METRIC":
        answer.result["HealthCheck"].given = {name: it for name, it in config.items() if it not in ([], None)}
    return answer


def create_vpc_endpoint(responses):
    """moto forgets that an endpoint's service is in another Region."""
    answer = make_vpc_endpoint(responses)
    answer.result["VpcEndpoint"].service_region = responses._get_param("ServiceRegion") or responses.region
    return answer


def prepare_interfaces(instance, interfaces, *args, **of):
    """The interface that an instance is started with goes with it, and moto leaves it behind."""
    is_made = not any(it.get("NetworkInterfaceId") for it in interfaces)
    make_interfaces(instance, interfaces, *args, **of)
    if is_made and 0 in instance.nics:
        instance.nics[0].delete_on_termination = True


def attributes_as_given(queue):
    """SQS gives a redrive policy back as it was given, and moto writes it with spaces."""
    found = queue_attributes(queue)
    if "RedrivePolicy" in found:
        found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return found


def make_described_rule(rule, *args, **of):
    """moto keeps what a security group's rule says of itself only if the rule is about addresses."""
    make_rule(rule, *args, **of)
    given = rule_arguments.bind(rule, *args, **of).arguments
    about = (given.get("source_group") or {}, given.get("prefix_list_id") or {})
    rule.about = next((it["Description"] for it in about if "Description" in it), None)


def topic_with_counts(backend, arn):
    """moto does not count a topic's subscriptions, which it confirms at once."""
    topic = get_topic(backend, arn)
    topic.subscriptions_confimed = len(backend._get_topic_subscriptions(topic))
    return topic


def network_of_subnets(function):
    """moto has one VPC for all functions, which does not exist."""
    config = network_of(function)
    if config and "VpcId" in config:
        backend = ec2_backends[function.account_id][function.region]
        config["VpcId"] = backend.describe_subnets(subnet_ids=config["SubnetIds"])[0].vpc_id
    return config


def refuse(message):
    raise Route53ClientError("InvalidChangeBatch", message)


# moto's instances have one interface.
filters["network-interface.addresses.private-ip-address"] = filters["private-ip-address"]
ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize_but_root
DomainDispatcherApplication.__call__ = keep_what_was_sent
IAMPolicyStatement.__init__ = make_statement_about_actions
IAMRequest._create_aws_request = sign_what_was_sent
IAMRequest._raise_access_denied = deny
Route53Backend.change_resource_record_sets = (
    lambda backend, zoneid, change_list: change_record_sets(backend, zoneid, change_list)
)
SNSBackend.get_topic = topic_with_counts
LambdaFunction.vpc_config = property(network_of_subnets)
Table.put_item = put_item_at_once
ELBv2Backend.register_targets = register_and_note
ELBv2Backend.deregister_targets = deregister_and_note
Route53._get_bool_param = flag_of_zone
Route53.get_hosted_zone = zone_with_vpcs
Route53.create_health_check = create_health_check
HealthCheck.health_check_config = property(lambda check: getattr(check, "given", None) or health_check_config(check))
Instance.prep_nics = prepare_interfaces
Queue.attributes = property(attributes_as_given)
VPCs.create_vpc_endpoint = create_vpc_endpoint
SecurityGroupRule.__init__ = make_described_rule
SecurityGroupRule.description = property(lambda rule: rule.ip_range.get("Description") or rule.about)
moto.elbv2.models.make_arn_for_load_balancer = network_arn
main()
