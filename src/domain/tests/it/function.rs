//! Names of Lambda functions.

use repoint_domain::values::function::FunctionName;

#[test]
fn a_function_is_named_by_its_name_or_its_arn_with_or_without_an_alias() {
    let arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:repoint";
    for (text, name, qualifier, unqualified, region) in [
        ("repoint", "repoint", None, "repoint", None),
        ("repoint:live", "repoint", Some("live"), "repoint", None),
        ("repoint:$LATEST", "repoint", Some("$LATEST"), "repoint", None),
        (arn, "repoint", None, arn, Some("cn-north-1")),
        (&format!("{arn}:7"), "repoint", Some("7"), arn, Some("cn-north-1")),
    ] {
        let function = FunctionName::parse(text).unwrap();
        assert_eq!(
            (function.name(), function.qualifier(), function.unqualified(), function.region()),
            (name, qualifier, unqualified, region),
            "{text}"
        );
    }
    for text in [
        "",
        "re point",
        "repoint:",
        "repoint:live:more",
        "arn:aws:lambda:us-east-1:123456789012:layer:repoint",
        "arn:aws:sns:us-east-1:123456789012:function:repoint",
        "arn:aws:lambda:us-east-1:1234:function:repoint",
    ] {
        assert!(FunctionName::parse(text).is_err(), "{text}");
    }
}
