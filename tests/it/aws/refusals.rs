//! What AWS's errors mean: their kind, and what is said to do about them.

use repoint::adapters::aws::refusal::{is_known, refusal};
use repoint_domain::report::PassHold;
use repoint_domain::values::failure::Kind;

/// The errors that the service models list for each operation that is called (botocore, `errors` of the operation), by
/// their codes on the wire; and each API's common errors.
const MODELLED: [(&str, &[&str]); 25] = [
    ("DescribeTargetHealth", &["InvalidTarget", "TargetGroupNotFound", "HealthUnavailable"]),
    ("DescribeTargetGroups", &["LoadBalancerNotFound", "TargetGroupNotFound"]),
    ("DescribeListeners", &["ListenerNotFound", "LoadBalancerNotFound", "UnsupportedProtocol"]),
    (
        "RegisterTargets",
        &["InvalidTarget", "TargetGroupNotFound", "TooManyRegistrationsForTargetId", "TooManyTargets"],
    ),
    ("DeregisterTargets", &["InvalidTarget", "TargetGroupNotFound"]),
    (
        "ModifyListener",
        &[
            "ALPNPolicyNotFound",
            "CertificateNotFound",
            "DuplicateListener",
            "IncompatibleProtocols",
            "InvalidConfigurationRequest",
            "InvalidLoadBalancerAction",
            "ListenerNotFound",
            "SSLPolicyNotFound",
            "TargetGroupAssociationLimit",
            "TargetGroupNotFound",
            "TooManyActions",
            "TooManyCertificates",
            "TooManyListeners",
            "TooManyRegistrationsForTargetId",
            "TooManyTargets",
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            "TrustStoreNotFound",
            "TrustStoreNotReady",
            "UnsupportedProtocol",
        ],
    ),
    ("ListResourceRecordSets", &["InvalidInput", "NoSuchHostedZone"]),
    (
        "ChangeResourceRecordSets",
        &[
            "InvalidChangeBatch",
            "InvalidInput",
            "NoSuchHealthCheck",
            "NoSuchHostedZone",
            "PriorRequestNotComplete",
        ],
    ),
    ("GetChange", &["InvalidInput", "NoSuchChange"]),
    // The model of EC2 lists none; these are of its "Error codes", for any action and for this one.
    (
        "DescribeInstances",
        &[
            "AuthFailure",
            "Blocked",
            "OptInRequired",
            "PendingVerification",
            "RequestLimitExceeded",
            "UnauthorizedOperation",
        ],
    ),
    (
        "Publish",
        &[
            "AuthorizationError",
            "EndpointDisabled",
            "InternalError",
            "InvalidParameter",
            "InvalidSecurity",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSNotFound",
            "KMSOptInRequired",
            "KMSThrottling",
            "NotFound",
            "ParameterValueInvalid",
            "PlatformApplicationDisabled",
            "ValidationException",
        ],
    ),
    (
        "GetTopicAttributes",
        &["AuthorizationError", "InternalError", "InvalidParameter", "InvalidSecurity", "NotFound"],
    ),
    (
        "GetItem",
        &[
            "InternalServerError",
            "InvalidEndpointException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ResourceNotFoundException",
            "ThrottlingException",
        ],
    ),
    (
        "PutItem",
        &[
            "ConditionalCheckFailedException",
            "ItemCollectionSizeLimitExceededException",
            "ReplicatedWriteConflictException",
            "TransactionConflictException",
        ],
    ),
    ("DescribeTable", &["InternalServerError", "InvalidEndpointException", "ResourceNotFoundException"]),
    // Of doctor.
    ("DescribeLoadBalancers", &["LoadBalancerNotFound"]),
    ("DescribeListenerAttributes", &["ListenerNotFound"]),
    ("GetHostedZone", &["InvalidInput", "NoSuchHostedZone"]),
    ("GetHealthCheck", &["IncompatibleVersion", "InvalidInput", "NoSuchHealthCheck"]),
    (
        "ListSubscriptionsByTopic",
        &["AuthorizationError", "InternalError", "InvalidParameter", "InvalidSecurity", "NotFound"],
    ),
    (
        "GetFunctionConfiguration",
        &[
            "InvalidParameterValueException",
            "ResourceNotFoundException",
            "ServiceException",
            "TooManyRequestsException",
        ],
    ),
    (
        "ListSchedules",
        &[
            "InternalServerException",
            "ResourceNotFoundException",
            "ThrottlingException",
            "ValidationException",
        ],
    ),
    (
        "GetSchedule",
        &[
            "InternalServerException",
            "ResourceNotFoundException",
            "ThrottlingException",
            "ValidationException",
        ],
    ),
    (
        "AssumeRole",
        &[
            "ExpiredTokenException",
            "MalformedPolicyDocument",
            "PackedPolicyTooLarge",
            "RegionDisabledException",
        ],
    ),
    (
        "common errors",
        &[
            "AccessDenied",
            "AccessDeniedException",
            "ExpiredToken",
            "IncompleteSignature",
            "InternalFailure",
            "InvalidAction",
            "InvalidClientTokenId",
            "InvalidParameterCombination",
            "InvalidParameterValue",
            "InvalidQueryParameter",
            "InvalidSignatureException",
            "MalformedHttpRequestException",
            "MalformedQueryString",
            "MissingAction",
            "MissingAuthenticationToken",
            "MissingParameter",
            "NotAuthorized",
            "RequestAbortedException",
            "RequestEntityTooLargeException",
            "RequestExpired",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "SignatureDoesNotMatch",
            "Throttling",
            "UnknownOperationException",
            "UnrecognizedClientException",
            "ValidationError",
        ],
    ),
];

#[test]
fn every_error_that_a_call_can_return_has_a_decision() {
    for (operation, codes) in MODELLED {
        for code in codes {
            assert!(is_known(code), "{operation}: {code}");
        }
    }
    let unknown = refusal("sns:Publish", "topic", "ErrorOfTheFuture", "so it is");
    assert_eq!(
        (unknown.kind, unknown.message.as_str(), unknown.hint),
        (Kind::Invalid, "ErrorOfTheFuture: so it is", None)
    );
}

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:pages";
const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg/057ddce98af07a33";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/8ba1";

fn hint(call: &str, resource: &str, code: &str, words: &str) -> (Kind, String) {
    let failure = refusal(call, resource, code, words);
    (failure.kind, failure.hint.unwrap_or_default())
}

#[test]
fn a_key_that_may_not_be_used_is_named_with_the_rights_on_it() {
    let user = "User: arn:aws:iam::123456789012:user/x is not authorized to perform:";
    let because = "because no resource-based policy allows";
    for (call, resource, code, action, right) in [
        ("sns:Publish", TOPIC, "KMSAccessDenied", "kms:GenerateDataKey", "kms:GenerateDataKey*"),
        ("sns:Publish", TOPIC, "AuthorizationError", "kms:Decrypt", "kms:GenerateDataKey*"),
        ("dynamodb:GetItem", "table repoint", "AccessDeniedException", "kms:Decrypt", "kms:Decrypt"),
        (
            "dynamodb:PutItem",
            "table repoint",
            "AccessDeniedException",
            "kms:GenerateDataKey",
            "kms:GenerateDataKey",
        ),
    ] {
        let words = format!("{user} {action} on resource: {KEY} {because} the {action} action");
        let (kind, hint) = hint(call, resource, code, &words);
        assert_eq!(kind, Kind::Denied);
        for part in [KEY, &format!("`{right}`"), "key policy"] {
            assert!(hint.contains(part), "{hint}");
        }
        assert!(!hint.contains("repoint iam"), "no statement of ours is missing: {hint}");
    }
    for (code, state) in [
        ("KMSDisabled", "is disabled"),
        ("KMSNotFound", "does not exist"),
        ("KMSInvalidState", "is not usable"),
    ] {
        let (kind, hint) = hint("sns:Publish", TOPIC, code, "the key is not available");
        assert!(kind == Kind::Invalid && hint.contains(state) && hint.contains("topic"), "{hint}");
    }
    assert_eq!(hint("sns:Publish", TOPIC, "KMSThrottling", "Rate exceeded").0, Kind::Throttled);
}

/// An added statement helps against none of these.
#[test]
fn a_denial_names_the_policy_that_has_to_change() {
    let action = "elasticloadbalancing:RegisterTargets";
    for (reason, part) in [
        (
            "with an explicit deny in a service control policy",
            "service control policy of the AWS Organization denies",
        ),
        (
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
            "Organization's administrators",
        ),
        ("with an explicit deny in a resource control policy", "resource control policy"),
        (
            "with an explicit deny in a permissions boundary",
            "permissions boundary of the role or user denies",
        ),
        ("with an explicit deny in an identity-based policy", "a policy of the role or user denies"),
        ("with an explicit deny in a session policy", "session policy"),
        ("with an explicit deny in a VPC endpoint policy", "VPC endpoint"),
        (
            "because no permissions boundary allows the elasticloadbalancing:RegisterTargets action",
            "also allow",
        ),
        ("because no VPC endpoint policy allows the action", "VPC endpoint"),
    ] {
        let words = format!(
            "User: arn:aws:iam::1:user/x is not authorized to perform: {action} on resource: {GROUP} {reason}"
        );
        let (kind, hint) = hint(action, GROUP, "AccessDenied", &words);
        assert!(kind == Kind::Denied && hint.contains(part) && hint.contains(action), "{reason}: {hint}");
        assert!(!hint.contains("repoint iam"), "{reason}: {hint}");
    }
    let words = format!(
        "User: x is not authorized to perform: {action} on resource: {GROUP} because no identity-based policy allows the \
         {action} action"
    );
    assert!(hint(action, GROUP, "AccessDenied", &words).1.contains("`MoveTargets` of `repoint iam`"));
    let of_doctor = hint("lambda:GetFunctionConcurrency", "repoint", "AccessDeniedException", "User: x").1;
    assert!(of_doctor.contains("`ReadFunction` of `repoint iam --for doctor`"), "{of_doctor}");
}

/// What AWS names outranks what was called.
#[test]
fn a_right_on_something_else_is_named_as_that() {
    let role = "arn:aws:iam::210987654321:role/dns";
    let words = format!("User: x is not authorized to perform: sts:AssumeRole on resource: {role}");
    let (_, said) = hint("route53:ListResourceRecordSets", "Z1", "AccessDenied", &words);
    assert!(said.contains(&format!("`sts:AssumeRole` on `{role}`")), "{said}");
    // SNS writes its own name in capitals.
    let words = format!("User: x is not authorized to perform: SNS:Publish on resource: {TOPIC}");
    let (_, said) = hint("sns:Publish", TOPIC, "AuthorizationError", &words);
    assert!(said.contains("`PublishAlerts` of `repoint iam`"), "{said}");
}

#[test]
fn credentials_that_are_not_valid_are_not_a_missing_right() {
    for (code, words, part) in [
        ("ExpiredToken", "The security token included in the request is expired", "expired"),
        ("ExpiredTokenException", "", "expired"),
        ("InvalidClientTokenId", "", "does not accept these credentials"),
        ("UnrecognizedClientException", "", "does not accept these credentials"),
        (
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            "does not accept these credentials",
        ),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "secret key"),
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z",
            "clock",
        ),
        ("InvalidSignatureException", "Signature not yet current", "clock"),
        ("RequestExpired", "Request has expired.", "clock"),
    ] {
        let (kind, hint) = hint("sns:Publish", TOPIC, code, words);
        assert_eq!(kind, Kind::Unauthenticated, "{code}");
        assert!(hint.contains(part) && !hint.contains("IAM action"), "{code}: {hint}");
    }
}

#[test]
fn one_code_for_several_things_is_distinguished_by_its_message() {
    let change = "route53:ChangeResourceRecordSets";
    let record = "Z1/db.example.com/A";
    let register = "elasticloadbalancing:RegisterTargets";
    for (call, resource, code, words, kind, part) in [
        (
            change,
            record,
            "InvalidChangeBatch",
            "Tried to create resource record set [name='db.example.com.', type='A'] but it already exists",
            Kind::Conflict,
            "next pass",
        ),
        (
            change,
            record,
            "InvalidChangeBatch",
            "RRSet of type A with DNS name db.example.com. is not permitted because a conflicting RRSet of type CNAME with the \
             same DNS name already exists in zone example.com.",
            Kind::Invalid,
            "CNAME excludes every other",
        ),
        (
            change,
            record,
            "InvalidChangeBatch",
            "RRSet with DNS name db.example.org. is not permitted in zone example.com.",
            Kind::Invalid,
            "`zone_id`",
        ),
        (
            register,
            GROUP,
            "InvalidTarget",
            "The following targets are not in a running state and cannot be registered: 'i-1'",
            Kind::Invalid,
            "only running instances",
        ),
        (
            register,
            GROUP,
            "ValidationError",
            "The Availability Zone is required for IP address '10.9.9.9' because it is not in the VPC",
            Kind::Invalid,
            "`availability_zone = \"all\"`",
        ),
        (
            "dynamodb:GetItem",
            "table repoint",
            "ValidationException",
            "The provided key element does not match the schema",
            Kind::Invalid,
            "partition key is the string `scope`",
        ),
        (
            "dynamodb:PutItem",
            "table repoint",
            "ValidationException",
            "One or more parameter values were invalid: Missing the key id in the item",
            Kind::Invalid,
            "partition key is the string `scope`",
        ),
        (
            "sns:Publish",
            TOPIC,
            "InvalidParameter",
            "Invalid parameter: Message too long",
            Kind::Invalid,
            "MaximumMessageSize",
        ),
        (
            "sns:Publish",
            TOPIC,
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
            Kind::Invalid,
            "standard topic",
        ),
        (
            "sns:Publish",
            TOPIC,
            "InvalidParameter",
            "Invalid parameter: TopicArn",
            Kind::Invalid,
            "the topic's ARN in `[alerts]`",
        ),
    ] {
        let (found, hint) = hint(call, resource, code, words);
        assert!(found == kind && hint.contains(part), "{code}: {words}: {found:?}, {hint}");
    }
}

/// The guard is switched off where the store is out of reach, and not where the configuration names a wrong one.
#[test]
fn a_table_with_another_key_is_no_reason_to_switch_the_guard_off() {
    let hint = |code, words| {
        let failure = refusal("dynamodb:GetItem", "table repoint", code, words);
        PassHold::StateUnavailable(failure).report().hint.unwrap()
    };
    let key = hint("ValidationException", "The provided key element does not match the schema");
    assert!(
        key.contains("partition key is the string `scope`") && !key.contains("required = false"),
        "{key}"
    );
    let absent = hint("ResourceNotFoundException", "Requested resource not found");
    assert!(absent.contains("does not exist") && !absent.contains("required = false"), "{absent}");
    let throttled = hint("ThrottlingException", "Rate exceeded");
    assert!(throttled.contains("required = false"), "{throttled}");
}
