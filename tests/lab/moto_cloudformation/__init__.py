"""CloudFormation for the lab, in the place of moto's.

moto's passes over the resource types and the properties that it does not know, as well as rules and constraints of
parameters, and does not see that an update turns a condition. This one knows little of the language (template.py) and a
few types (resources.py), makes them by calling moto as any client would, and fails at whatever else a template says. It
answers what `aws cloudformation deploy` and `delete-stack` ask.
"""

import datetime

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import generate_changeset_id, generate_stack_id
from moto.core.responses import ActionResult, EmptyResult

from .resources import Account, physical_name, type_of
from .template import Refused, Values, parse

EMPTY = "The submitted information didn't contain changes. Submit different information to create a change set."


class Stack:
    def __init__(self, name, region, number, endpoint):
        self.name = name
        self.id = generate_stack_id(name, region, number)
        self.account = Account(endpoint, region)
        partition = self.id.split(":")[1]
        values = {"Region": region, "AccountId": number, "Partition": partition, "StackName": name, "StackId": self.id}
        self.pseudo = {f"AWS::{key}": it for key, it in values.items()}
        self.status = "REVIEW_IN_PROGRESS"
        self.template, self.values = None, None
        self.made, self.before = {}, {}
        self.outputs = {}

    def read(self, template, given):
        """Refuses what CloudFormation refuses before it makes anything."""
        return Values(parse(template), given, self.pseudo, self.known)

    def apply(self, template, values):
        self.template, self.values = template, values
        self.before, self.made = self.made, {}
        for name in self.wanted("Resources"):
            self.ensure(name)
        for name in reversed([it for it in self.before if it not in self.made]):
            self.delete(self.before[name])
        outputs = self.wanted("Outputs")
        self.outputs = {name: values.value(it["Value"]) for name, it in outputs.items()}

    def wanted(self, section):
        said = self.values.template[section]
        return {name: it for name, it in said.items() if "Condition" not in it or self.values.holds(it["Condition"])}

    def ensure(self, name):
        """A resource with what it depends on before it."""
        if name in self.made:
            return self.made[name]
        resource = self.wanted("Resources").get(name)
        if resource is None:
            raise Refused(f"Unresolved resource dependencies [{name}]")
        if resource.get("DependsOn") in self.wanted("Resources"):
            self.ensure(resource["DependsOn"])
        properties = self.values.value(resource["Properties"])
        kind = type_of(resource["Type"])
        made = self.before.get(name)
        if made is None:
            reference, attributes = kind.create(self.account, physical_name(self.name, name), properties)
            made = {"ref": reference, "attributes": attributes}
        elif made["properties"] != properties:
            kind.update(self.account, made, properties)
        self.made[name] = {**made, "kind": kind, "properties": properties}
        return self.made[name]

    def known(self, name, attribute):
        made = self.ensure(name)
        return made["attributes"][attribute] if attribute else made["ref"]

    def delete(self, made):
        made["kind"].delete(self.account, made)

    def delete_all(self):
        for name in reversed(list(self.made)):
            self.delete(self.made.pop(name))


def stacks(responses):
    """moto's own memory of this account and Region, which a reset empties."""
    return responses.cloudformation_backend.__dict__.setdefault("lab_stacks", {})


def find(responses):
    """By name, or by id."""
    wanted = responses._get_param("StackName")
    for stack in stacks(responses).values():
        if wanted in (stack.name, stack.id):
            return stack
    raise ValidationError(wanted)


def create_change_set(responses):
    name = responses._get_param("StackName")
    endpoint = f"http://{responses.headers['Host']}"
    stack = stacks(responses).get(name) or Stack(name, responses.region, responses.current_account, endpoint)
    template = responses._get_param("TemplateBody")
    makes_roles = "AWS::IAM::" in template
    if makes_roles and "CAPABILITY_IAM" not in responses._get_param("Capabilities", []):
        raise ValidationError(message="Requires capabilities : [CAPABILITY_IAM]")
    given = {}
    for it in responses._get_param("Parameters", []):
        key = it["ParameterKey"]
        given[key] = stack.values.parameters[key] if it.get("UsePreviousValue") else it["ParameterValue"]
    try:
        values = stack.read(template, given)
    except Refused as error:
        raise ValidationError(message=str(error)) from error
    stacks(responses)[name] = stack
    change = generate_changeset_id(responses._get_param("ChangeSetName"), responses.region, responses.current_account)
    is_empty = stack.values is not None and (stack.template, stack.values.parameters) == (template, values.parameters)
    stack.change = change, None if is_empty else (template, values)
    return ActionResult({"Id": change, "StackId": stack.id})


def describe_change_set(responses):
    stack = find(responses)
    change, to_do = stack.change
    answer = {"ChangeSetName": change, "StackId": stack.id, "StackName": stack.name, "Status": "CREATE_COMPLETE"}
    answer.update({"Parameters": {}, "Changes": []})
    if to_do is None:
        answer.update({"Status": "FAILED", "StatusReason": EMPTY})
    return ActionResult(answer)


def execute_change_set(responses):
    stack = find(responses)
    verb = "CREATE" if stack.values is None else "UPDATE"
    _, to_do = stack.change
    try:
        stack.apply(*to_do)
    except Exception as error:
        stack.status = f"{verb}_FAILED"
        raise ValidationError(message=f"{type(error).__name__}: {error}") from error
    stack.status = f"{verb}_COMPLETE"
    return EmptyResult()


def describe_stacks(responses):
    described = [find(responses)] if responses._get_param("StackName") else stacks(responses).values()
    return ActionResult({
        "Stacks": [
            {
                "StackName": stack.name,
                "StackId": stack.id,
                "StackStatus": stack.status,
                "CreationTime": datetime.datetime.now(datetime.timezone.utc),
                "Outputs": [{"OutputKey": key, "OutputValue": it} for key, it in stack.outputs.items()],
                "Tags": {},
            }
            for stack in described
        ]
    })


def get_template_summary(responses):
    """What an update may leave as it is."""
    return ActionResult({"Parameters": [{"ParameterKey": name} for name in find(responses).values.parameters]})


def delete_stack(responses):
    stack = find(responses)
    stack.delete_all()
    del stacks(responses)[stack.name]
    return EmptyResult()


for answer in (
    create_change_set,
    describe_change_set,
    execute_change_set,
    describe_stacks,
    get_template_summary,
    delete_stack,
):
    setattr(CloudFormationResponse, answer.__name__, answer)
