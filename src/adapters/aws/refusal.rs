//! What AWS's errors mean: the kind of each error, and what to do about it.
//!
//! The table is complete: it covers every error that the service models list for our calls (botocore: elbv2, route53,
//! ec2, sns, dynamodb, sts; each API's "Common errors"), and a test keeps it so. Where AWS has one code for several
//! errors, its message decides.

use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

use super::denial;
use super::owner::Owner;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    /// This text.
    Say(&'static str),
    /// The resource does not exist where it was expected.
    Missing,
    /// A policy has to allow the call.
    Allow,
    /// The key that encrypts the resource is not usable; the text says why.
    Key(&'static str),
    /// AWS's message is enough.
    Nothing,
}
use Advice::{Allow, Key, Missing, Nothing, Say};

const RATE: Advice = Say("AWS throttles the account's requests; the next pass retries");
const LATER: Advice = Say("the service has a temporary fault; the next pass retries");
const UNKNOWN_CREDENTIALS: Advice = Say(
    "AWS does not accept these credentials: they were deleted or rotated, or belong to another partition, or the Region is \
     not enabled for the account; renew them at their source (`aws sts get-caller-identity` shows the identity)",
);
const EXPIRED: Advice =
    Say("the credentials have expired: renew them at their source (role, profile, environment)");
const UNSIGNED: Advice =
    Say("the secret key does not belong to the access key, or a proxy changed the request");
const CLOCK: Advice = Say("this machine's clock differs from AWS's by minutes: synchronise it (chrony, NTP)");
const CLIENT: Advice =
    Say("the endpoint does not accept the request: check `[aws] endpoint_url`, and any proxy");
const LISTENER: Advice =
    Say("the listener's own configuration is invalid: correct it there (console, Terraform)");
const TOPIC: Advice = Say("check the topic's ARN in `[alerts]` with `repoint test-alert`");
const ZONE: Advice = Say(
    "an address outside the group's VPC needs `availability_zone = \"all\"` in its [[cluster.target_group]]; an address \
     inside it needs none",
);
/// Phrases of `InvalidChangeBatch` for a record set that has changed since it was read.
const CHANGED: [&str; 3] = ["not found", "do not match", "already exists"];

/// What a failed call means, by AWS's code and message.
#[must_use]
pub fn refusal(call: &str, resource: &str, code: &str, words: &str) -> Failure {
    refusal_of(&Owner::default(), call, resource, code, words)
}

/// The same for a call whose owner is known.
#[must_use]
pub fn refusal_of(owner: &Owner, call: &str, resource: &str, code: &str, words: &str) -> Failure {
    let (kind, advice) = decide(code, words).unwrap_or((Kind::Invalid, Nothing));
    let failure = Failure::new(kind, call, resource, text::message(&format!("{code}: {words}")));
    let hint = match advice {
        Say(hint) => Some(hint.to_owned()),
        Missing => Some(missing(resource)),
        Allow => Some(denial::hint(owner, call, resource, words)),
        Key(state) => Some(denial::key_hint(call, state, words)),
        Nothing => None,
    };
    let from = owner.credentials.as_ref().filter(|_| kind == Kind::Unauthenticated);
    let hint = match (hint, from) {
        (Some(hint), Some(from)) => Some(format!("credentials of {from}: {hint}")),
        (hint, _) => hint,
    };
    Failure { hint, ..failure }
}

/// What to do about a resource that was not found.
#[must_use]
pub fn missing(resource: &str) -> String {
    format!("`{resource}` does not exist for these credentials: check its name, account and Region")
}

/// The kind of an error.
#[must_use]
pub fn kind(code: &str, words: &str) -> Kind {
    decide(code, words).map_or(Kind::Invalid, |(kind, _)| kind)
}

/// Whether the table has this code; any other code is [`Kind::Invalid`] with AWS's message.
#[must_use]
pub fn is_known(code: &str) -> bool {
    decide(code, "").is_some()
}

fn decide(code: &str, words: &str) -> Option<(Kind, Advice)> {
    by_words(code, words).or_else(|| by_code(code))
}

/// Codes that stand for several errors.
fn by_words(code: &str, words: &str) -> Option<(Kind, Advice)> {
    let has = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    Some(match code {
        "AccessDenied" | "AccessDeniedException" | "AuthorizationError" if has(&["kms:", "KMS"]) => {
            (Kind::Denied, Key("may not be used with these credentials"))
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature"
            if has(&["Signature expired", "Signature not yet current"]) =>
        {
            (Kind::Unauthenticated, CLOCK)
        }
        "InvalidTarget" if has(&["running state"]) => (
            Kind::Invalid,
            Say("AWS registers only running instances: start it, or wait; the next pass retries"),
        ),
        "ValidationError" if has(&["Availability Zone"]) => (Kind::Invalid, ZONE),
        "InvalidChangeBatch" if has(&["protected"]) => (
            Kind::Invalid,
            Say(
                "the record set is protected in Route 53: remove the protection there, or remove the record from the configuration",
            ),
        ),
        "InvalidChangeBatch" if has(&["not permitted in zone"]) => (
            Kind::Invalid,
            Say(
                "the record's name is not in this zone: check `name` and `zone_id` of its [[cluster.record]]",
            ),
        ),
        "InvalidChangeBatch"
            if has(&["conflicting RRSet", "conflicts with other", "cannot be created", "at apex"]) =>
        {
            (
                Kind::Invalid,
                Say(
                    "other record sets of this name conflict with this one (a CNAME excludes every other record set, and is not \
                 allowed at the zone apex; all record sets of one name and type have one routing policy): remove them, or \
                 use another name",
                ),
            )
        }
        // Route 53 has one code for an invalid batch and for a batch whose records have changed since they were read.
        "InvalidChangeBatch" if has(&CHANGED) => (
            Kind::Conflict,
            Say("the record set changed between the read and the write; the next pass reads it again"),
        ),
        "ValidationException" if has(&["KMS"]) => (Kind::Invalid, Key("cannot be used")),
        "ValidationException" if has(&["key element", "Missing the key", "mismatch for key"]) => (
            Kind::Invalid,
            Say(
                "the table has another key: repoint needs a table whose partition key is the string `scope`, without a sort \
                 key; create one, and set `[state] dynamodb_table` to it",
            ),
        ),
        "InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid" | "ValidationException"
            if has(&["too long"]) =>
        {
            (
                Kind::Invalid,
                Say(
                    "the message is longer than the topic allows: raise `MaximumMessageSize` of the topic (default 256 KiB)",
                ),
            )
        }
        "InvalidParameter" if has(&["MessageGroupId", "FIFO"]) => (
            Kind::Invalid,
            Say("the topic is FIFO, and alerts need a standard topic: give the ARN of one in `[alerts]`"),
        ),
        _ => return None,
    })
}

fn by_code(code: &str) -> Option<(Kind, Advice)> {
    let tables = [throttled, refused, absent_or_changed, invalid_for_load_balancer, invalid, unavailable];
    tables.iter().find_map(|table| table(code))
}

/// Throttling of every kind.
fn throttled(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "Throttled"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitsExceeded"
        | "SlowDown" => (Kind::Throttled, RATE),
        "ProvisionedThroughputExceededException" => (
            Kind::Throttled,
            Say(
                "the table's capacity is exhausted: switch it to on-demand, or raise it; the next pass retries",
            ),
        ),
        "PriorRequestNotComplete" => (
            Kind::Throttled,
            Say("Route 53 is still applying an earlier change of this zone; the next pass retries"),
        ),
        "KMSThrottling" => (
            Kind::Throttled,
            Say(
                "AWS KMS throttles the account's requests, and the topic is encrypted; the next pass retries",
            ),
        ),
        _ => return None,
    })
}

/// Invalid credentials and missing rights.
fn refused(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" => (Kind::Unauthenticated, EXPIRED),
        "RequestExpired" | "RequestTimeTooSkewed" => (Kind::Unauthenticated, CLOCK),
        "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "InvalidSecurity"
        | "InvalidSecurityToken"
        | "NotSignedUp" => (Kind::Unauthenticated, UNKNOWN_CREDENTIALS),
        "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => (Kind::Unauthenticated, UNSIGNED),

        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OperationNotPermitted" => (Kind::Denied, Allow),
        "KMSAccessDenied" => (Kind::Denied, Key("may not be used with these credentials")),
        "OptInRequired" | "KMSOptInRequired" | "PendingVerification" | "Blocked" => (
            Kind::Denied,
            Say(
                "the account is not allowed to use this service: check its status in the AWS console, or ask AWS Support",
            ),
        ),
        "RegionDisabledException" => (
            Kind::Denied,
            Say("AWS STS is deactivated for this Region in the account: activate it (IAM, account settings)"),
        ),
        _ => return None,
    })
}

/// Resources that are missing or have changed since they were read.
fn absent_or_changed(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "NoSuchHostedZone" => (
            Kind::NotFound,
            Say("the zone is not in the account of these credentials: check `zone_id` and the credentials"),
        ),
        "TargetGroupNotFound"
        | "ListenerNotFound"
        | "LoadBalancerNotFound"
        | "NoSuchChange"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException" => (Kind::NotFound, Missing),

        "ConditionalCheckFailedException" => (
            Kind::Conflict,
            Say(
                "another repoint process changed the state between the read and the write; the next pass reads it again",
            ),
        ),
        _ => return None,
    })
}

/// Requests that Elastic Load Balancing rejects.
fn invalid_for_load_balancer(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "InvalidTarget" => (
            Kind::Invalid,
            Say(
                "the target does not match the group: compare its VPC, address family and type with the group's; an address outside \
                 the VPC needs `availability_zone = \"all\"`",
            ),
        ),
        "TooManyTargets" => (
            Kind::Invalid,
            Say(
                "the group or its load balancer has reached AWS's quota of targets: deregister targets that are not needed, or \
                 ask AWS for a higher quota",
            ),
        ),
        "TooManyRegistrationsForTargetId" => (
            Kind::Invalid,
            Say(
                "the target has reached AWS's quota of registrations per load balancer: deregister it from groups or ports that are not needed",
            ),
        ),
        "TargetGroupAssociationLimit" => (
            Kind::Invalid,
            Say(
                "another load balancer already uses the target group: use a separate group for this listener",
            ),
        ),
        "TooManyUniqueTargetGroupsPerLoadBalancer" | "TooManyActions" => (
            Kind::Invalid,
            Say(
                "the listener or its load balancer has reached AWS's quota of target groups: remove those that are not needed",
            ),
        ),
        "InvalidLoadBalancerAction" | "InvalidConfigurationRequest" => (
            Kind::Invalid,
            Say(
                "the listener does not accept a forward action with these groups and weights: compare protocols and group types",
            ),
        ),
        "IncompatibleProtocols" | "UnsupportedProtocol" => (
            Kind::Invalid,
            Say(
                "the protocols of the listener and the target groups do not match: for PostgreSQL both are TCP",
            ),
        ),
        // Other parts of a listener are never written, so an error in them was there before.
        "DuplicateListener"
        | "TooManyListeners"
        | "TooManyCertificates"
        | "CertificateNotFound"
        | "SSLPolicyNotFound"
        | "ALPNPolicyNotFound"
        | "TrustStoreNotFound"
        | "TrustStoreNotReady" => (Kind::Invalid, LISTENER),
        _ => return None,
    })
}

/// Requests that another service rejects.
fn invalid(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "NoSuchHealthCheck" => {
            (Kind::Invalid, Say("the health check is not in this account: check `health_check_id`"))
        }
        "InvalidInput" => (
            Kind::Invalid,
            Say("check `name`, `type`, `value` and `set_identifier` of the [[cluster.record]]"),
        ),
        "EndpointDisabled" | "PlatformApplicationDisabled" => (
            Kind::Invalid,
            Say("this is a mobile push endpoint, and it is disabled: give the ARN of a topic in `[alerts]`"),
        ),
        "InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid" => (Kind::Invalid, TOPIC),
        "KMSDisabled" => (Kind::Invalid, Key("is disabled")),
        "KMSNotFound" => (Kind::Invalid, Key("does not exist")),
        "KMSInvalidState" => (Kind::Invalid, Key("is not usable, pending deletion for example")),
        "ItemCollectionSizeLimitExceededException" => (
            Kind::Invalid,
            Say(
                "the table has a local secondary index and its items are too large: use a separate table for repoint",
            ),
        ),
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" => (
            Kind::Invalid,
            Say(
                "the session policy or tags of the assumed role are not accepted: check the profile that assumes it",
            ),
        ),
        // The message of an invalid batch or argument says what is wrong.
        "InvalidChangeBatch" | "ValidationError" | "ValidationException" => (Kind::Invalid, Nothing),
        "InvalidEndpointException"
        | "InvalidAction"
        | "InvalidQueryParameter"
        | "MalformedQueryString"
        | "MissingAction"
        | "MissingParameter"
        | "InvalidParameterCombination"
        | "InvalidParameterValueException"
        | "IncompatibleVersion"
        | "UnknownOperationException"
        | "UnknownParameter"
        | "MalformedHttpRequestException"
        | "RequestEntityTooLargeException"
        | "SerializationException" => (Kind::Invalid, CLIENT),
        _ => return None,
    })
}

/// Temporary faults of the service.
fn unavailable(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "HealthUnavailable"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "RequestAbortedException"
        | "RequestTimeoutException" => (Kind::Unavailable, LATER),
        // Another Region is writing the item of a global table with strong consistency, or a transaction is.
        "ReplicatedWriteConflictException" | "TransactionConflictException" => {
            (Kind::Unavailable, Say("another process is writing the item; the next pass retries"))
        }
        _ => return None,
    })
}
