//! What AWS's errors mean: of what kind each is, and what to do about it.
//!
//! Law: one table. Every error that the service models list for a call of ours has a decision here (botocore: elbv2,
//! route53, ec2, sns, dynamodb, sts; each API's "Common errors"), and a test holds the list. Where AWS has one code for
//! several things, its words decide.

use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

use super::denial;
use super::owner::Owner;

/// What helps against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    /// These words.
    Say(&'static str),
    /// The resource does not exist where it was looked for.
    Missing,
    /// A policy has to allow it.
    Allow,
    /// The key that encrypts the resource has to be usable; these words say what it is not.
    Key(&'static str),
    /// AWS's own words have to do.
    Nothing,
}
use Advice::{Allow, Key, Missing, Nothing, Say};

const RATE: Advice = Say("the account's request rate is used up; the next pass tries again");
const LATER: Advice = Say("the service has a fault of its own for the moment; the next pass tries again");
const UNKNOWN_CREDENTIALS: Advice = Say(
    "AWS does not know these credentials: they were deleted or rotated, or belong to another partition, or the Region is not \
     enabled for the account; renew them where they come from (`aws sts get-caller-identity` shows whose they are)",
);
const EXPIRED: Advice =
    Say("the credentials have expired: renew them where they come from (role, profile, environment)");
const UNSIGNED: Advice =
    Say("the secret key does not belong to the access key, or something on the way changed the request");
const CLOCK: Advice =
    Say("this machine's clock differs from AWS's by minutes: correct the time (chrony, NTP)");
const CLIENT: Advice =
    Say("the other side does not understand the request: check `[aws] endpoint_url`, and any proxy");
const LISTENER: Advice =
    Say("the listener itself is not set up right: mend it in its own configuration (console, Terraform)");
const TOPIC: Advice = Say("check `[alerts] sns_topic_arn` with `repoint test-alert`");
const ZONE: Advice = Say(
    "an address outside the group's VPC needs `availability_zone = \"all\"` in its [[cluster.target_group]]; one inside it \
     needs none",
);
/// Words of `InvalidChangeBatch` for a record set that is not as it was read.
const CHANGED: [&str; 3] = ["not found", "do not match", "already exists"];

/// What a failed call means, by AWS's code and words.
#[must_use]
pub fn refusal(call: &str, resource: &str, code: &str, words: &str) -> Failure {
    refusal_of(&Owner::default(), call, resource, code, words)
}

/// The same, where it is known whose call it was.
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
        (Some(hint), Some(from)) => Some(format!("the credentials come from {from}: {hint}")),
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

/// Whether the table has this code; what it has not is [`Kind::Invalid`], and told in AWS's words.
#[must_use]
pub fn is_known(code: &str) -> bool {
    decide(code, "").is_some()
}

fn decide(code: &str, words: &str) -> Option<(Kind, Advice)> {
    by_words(code, words).or_else(|| by_code(code))
}

/// Codes that stand for several things.
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
            Say("AWS registers an instance only while it runs: start it, or wait; the next pass tries again"),
        ),
        "ValidationError" if has(&["Availability Zone"]) => (Kind::Invalid, ZONE),
        "InvalidChangeBatch" if has(&["protected"]) => (
            Kind::Invalid,
            Say(
                "the record set is protected in Route 53: lift the protection there, or take the record out of the configuration",
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
                    "other record sets of this name leave no room for this one (a CNAME stands alone, and never at the top of a zone; \
                 one name and type has one routing policy): remove them, or take another name",
                ),
            )
        }
        // Route 53 has one code for a batch that makes no sense and for one that came too late.
        "InvalidChangeBatch" if has(&CHANGED) => (
            Kind::Conflict,
            Say("the record set was changed between the read and the write; the next pass reads it again"),
        ),
        "ValidationException" if has(&["KMS"]) => (Kind::Invalid, Key("cannot be used")),
        "ValidationException" if has(&["key element", "Missing the key", "mismatch for key"]) => (
            Kind::Invalid,
            Say(
                "the table has another key: repoint needs a table whose partition key is `scope`, a string, with no sort key; \
                 create one for it, and name it with `[state] dynamodb_table`",
            ),
        ),
        "InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid" | "ValidationException"
            if has(&["too long"]) =>
        {
            (
                Kind::Invalid,
                Say(
                    "the message is longer than the topic takes: raise `MaximumMessageSize` of the topic (default 256 KiB)",
                ),
            )
        }
        "InvalidParameter" if has(&["MessageGroupId", "FIFO"]) => (
            Kind::Invalid,
            Say(
                "the topic is FIFO, and alerts go to a standard topic: name one with `[alerts] sns_topic_arn`",
            ),
        ),
        _ => return None,
    })
}

fn by_code(code: &str) -> Option<(Kind, Advice)> {
    let tables = [throttled, refused, absent_or_changed, invalid_for_load_balancer, invalid, unavailable];
    tables.iter().find_map(|table| table(code))
}

/// Too many requests of some sort.
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
                "the table's capacity is used up: switch it to on-demand, or raise it; the next pass tries again",
            ),
        ),
        "PriorRequestNotComplete" => (
            Kind::Throttled,
            Say("Route 53 is still busy with an earlier change of this zone; the next pass tries again"),
        ),
        "KMSThrottling" => (
            Kind::Throttled,
            Say(
                "AWS KMS limits the account's requests, and the topic is encrypted; the next pass tries again",
            ),
        ),
        _ => return None,
    })
}

/// The credentials, or what they may do.
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
                "the account itself may not use this service: see its status in the AWS console, or ask AWS Support",
            ),
        ),
        "RegionDisabledException" => (
            Kind::Denied,
            Say(
                "AWS STS is switched off for this Region in the account: switch it on (IAM, account settings)",
            ),
        ),
        _ => return None,
    })
}

/// What is not there, or not as it was read.
fn absent_or_changed(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "NoSuchHostedZone" => (
            Kind::NotFound,
            Say(
                "the zone is not in the account of these credentials: check `zone_id`, and whose credentials they are",
            ),
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

/// What Elastic Load Balancing does not take.
fn invalid_for_load_balancer(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "InvalidTarget" => (
            Kind::Invalid,
            Say(
                "the target does not fit the group: compare its VPC, address family and type with the group's; an address outside \
                 the VPC needs `availability_zone = \"all\"`",
            ),
        ),
        "TooManyTargets" => (
            Kind::Invalid,
            Say(
                "the group or its load balancer has as many targets as AWS allows: deregister what is not needed, or ask AWS for a \
                 higher quota",
            ),
        ),
        "TooManyRegistrationsForTargetId" => (
            Kind::Invalid,
            Say(
                "the load balancer has this target as often as AWS allows: deregister it from groups or ports that are not needed",
            ),
        ),
        "TargetGroupAssociationLimit" => (
            Kind::Invalid,
            Say("another load balancer uses the target group already: give this listener a group of its own"),
        ),
        "TooManyUniqueTargetGroupsPerLoadBalancer" | "TooManyActions" => (
            Kind::Invalid,
            Say(
                "the listener or its load balancer forwards to as many target groups as AWS allows: remove what is not needed",
            ),
        ),
        "InvalidLoadBalancerAction" | "InvalidConfigurationRequest" => (
            Kind::Invalid,
            Say(
                "the listener does not take a forward action with these groups and weights: compare protocols and group types",
            ),
        ),
        "IncompatibleProtocols" | "UnsupportedProtocol" => (
            Kind::Invalid,
            Say("the listener's protocol and the target groups' do not fit: for PostgreSQL both are TCP"),
        ),
        // A listener's other parts are never written, so what is wrong with them was wrong before.
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

/// What another service does not take.
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
            Say(
                "this is an endpoint for mobile devices, and it is disabled: name a topic with `[alerts] sns_topic_arn`",
            ),
        ),
        "InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid" => (Kind::Invalid, TOPIC),
        "KMSDisabled" => (Kind::Invalid, Key("is disabled")),
        "KMSNotFound" => (Kind::Invalid, Key("does not exist")),
        "KMSInvalidState" => (Kind::Invalid, Key("is not usable, pending deletion for example")),
        "ItemCollectionSizeLimitExceededException" => (
            Kind::Invalid,
            Say(
                "the table has a local secondary index and its items are too large: give repoint a table of its own",
            ),
        ),
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" => (
            Kind::Invalid,
            Say(
                "the session policy or tags of the assumed role are not accepted: check the profile that assumes it",
            ),
        ),
        // What is written says of itself what is wrong.
        "InvalidChangeBatch" | "ValidationError" | "ValidationException" => (Kind::Invalid, Nothing),
        "InvalidEndpointException"
        | "InvalidAction"
        | "InvalidQueryParameter"
        | "MalformedQueryString"
        | "MissingAction"
        | "MissingParameter"
        | "InvalidParameterCombination"
        | "UnknownOperationException"
        | "UnknownParameter"
        | "MalformedHttpRequestException"
        | "RequestEntityTooLargeException"
        | "SerializationException" => (Kind::Invalid, CLIENT),
        _ => return None,
    })
}

/// A fault of the service, which passes.
fn unavailable(code: &str) -> Option<(Kind, Advice)> {
    Some(match code {
        "HealthUnavailable"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "RequestAbortedException"
        | "RequestTimeoutException" => (Kind::Unavailable, LATER),
        // Of a global table with strong consistency: another Region writes the item just now. Or a transaction does.
        "ReplicatedWriteConflictException" | "TransactionConflictException" => (
            Kind::Unavailable,
            Say("the item is being written elsewhere just now; the next pass tries again"),
        ),
        _ => return None,
    })
}
