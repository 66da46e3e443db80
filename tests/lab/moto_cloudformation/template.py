"""What a template says, once its parameters are known: the part of CloudFormation's language that is used here, and an
error for the rest."""

import re

import yaml

# What `AWS::NoValue` stands for: as if the property were not written at all.
NO_VALUE = object()


class Refused(Exception):
    """What CloudFormation says of it, before it makes anything."""


class Loader(yaml.SafeLoader):
    """`!Sub text` is short for `{"Fn::Sub": "text"}`."""


def long_form(loader, name, node):
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value.split(".", 1) if name == "GetAtt" else node.value
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


Loader.add_multi_constructor("!", long_form)


def parse(text):
    if len(text.encode()) > 51200:
        raise Refused("Templates above 51,200 bytes are taken from S3 only")
    return yaml.load(text, Loader)


class Values:
    """Evaluates what a template says. `resource(name, attribute)` is asked for what only a resource knows; without an
    attribute for its reference."""

    def __init__(self, template, given, pseudo, resource):
        self.template = template
        self.pseudo = pseudo
        self.resource = resource
        self.parameters = parameters(template["Parameters"], given)
        for name, rule in template.get("Rules", {}).items():
            self.judge(name, rule)

    def judge(self, name, rule):
        if self.truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
            for assertion in rule["Assertions"]:
                if not self.truth(assertion["Assert"]):
                    raise Refused(f"Rule {name}: {assertion['AssertDescription']}")

    def holds(self, condition):
        return self.truth(self.template["Conditions"][condition])

    def truth(self, expression):
        (verb, of), = expression.items()
        if verb == "Condition":
            return self.holds(of)
        if verb == "Fn::Equals":
            left, right = (text(self.value(it)) for it in of)
            return left == right
        truths = [self.truth(it) for it in of]
        if verb == "Fn::Not" and len(truths) == 1:
            return not truths[0]
        # CloudFormation takes two to ten.
        if verb in ("Fn::And", "Fn::Or") and 2 <= len(truths) <= 10:
            return (all if verb == "Fn::And" else any)(truths)
        raise Refused(f"{verb} of {len(truths)} is no condition")

    def value(self, said):
        if isinstance(said, list):
            return [it for it in map(self.value, said) if it is not NO_VALUE]
        if not isinstance(said, dict):
            return said
        verb = next(iter(said), "")
        if len(said) != 1 or not (verb == "Ref" or verb.startswith("Fn::")):
            values = {name: self.value(it) for name, it in said.items()}
            return {name: it for name, it in values.items() if it is not NO_VALUE}
        of = said[verb]
        if verb == "Ref":
            return self.reference(of)
        if verb == "Fn::GetAtt":
            return self.resource(*of)
        if verb == "Fn::If":
            return self.value(of[1 if self.holds(of[0]) else 2])
        if verb == "Fn::Sub":
            of, own = (of[0], self.value(of[1])) if isinstance(of, list) else (of, {})
            known = lambda name: own[name] if name in own else self.named(name)
            return re.sub(r"\$\{([^}]+)\}", lambda found: text(known(found[1])), of)
        if verb == "Fn::Split":
            return self.value(of[1]).split(of[0])
        if verb == "Fn::Select":
            return self.value(of[1])[int(of[0])]
        raise Refused(f"{verb} is not known here")

    def reference(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        for known in (self.pseudo, self.parameters):
            if name in known:
                return known[name]
        return self.resource(name, None)

    def named(self, name):
        resource, _, attribute = name.partition(".")
        return self.resource(resource, attribute) if attribute else self.reference(name)


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def parameters(declared, given):
    unknown = set(given) - set(declared)
    if unknown:
        raise Refused(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    values = {}
    for name, it in declared.items():
        if name not in given and "Default" not in it:
            raise Refused(f"Parameters: [{name}] must have values")
        value = text(given.get(name, it.get("Default")))
        if not allows(it, value):
            raise Refused(f"Parameter {name} failed to satisfy constraint: {it.get('ConstraintDescription', it)}")
        values[name] = value
    return values


def allows(declared, value):
    number = declared["Type"] == "Number"
    if number and not re.fullmatch(r"-?[0-9]+", value):
        return False
    return (
        len(value.encode()) <= min(4096, declared.get("MaxLength", 4096))
        and value in map(text, declared.get("AllowedValues", [value]))
        and re.fullmatch(declared.get("AllowedPattern", r"[\s\S]*"), value) is not None
        and (not number or declared.get("MinValue", int(value)) <= int(value) <= declared.get("MaxValue", int(value)))
    )
