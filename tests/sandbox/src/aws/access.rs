//! Permissions: everything is allowed but what is denied here.
//!
//! A denied call is refused with the service's own code and text and changes nothing.

use super::error::AwsError;
use super::service::Service;

/// Denied (action, start of a resource's name).
#[derive(Clone, Debug, Default)]
pub struct Denials {
    denied: Vec<(String, String)>,
}

impl Denials {
    /// Denies the action on resources whose name starts so; an empty prefix is every resource.
    pub fn deny(&mut self, action: &str, resource_prefix: &str) {
        self.denied.push((action.to_owned(), resource_prefix.to_owned()));
    }

    /// Allows everything again.
    pub fn clear(&mut self) {
        self.denied.clear();
    }

    pub(super) fn deny_call(&self, action: &str, resource: &str) -> bool {
        self.denied.iter().any(|(denied, prefix)| denied == action && resource.starts_with(prefix.as_str()))
    }
}

/// How each service words it.
pub(super) fn refusal(service: Service, user: &str, action: &str, resource: &str) -> AwsError {
    let words = format!(
        "User: {user} is not authorized to perform: {action} on resource: {resource} because no identity-based \
         policy allows the {action} action"
    );
    match service {
        Service::Elbv2 | Service::Route53 => AwsError::new("AccessDenied", words).with_status(403),
        Service::Ec2 => {
            let words = format!("You are not authorized to perform this operation. {words}");
            AwsError::new("UnauthorizedOperation", words).with_status(403)
        }
        Service::Sns => AwsError::new("AuthorizationError", words).with_status(403),
        Service::DynamoDb => AwsError::new("AccessDeniedException", words),
    }
}
