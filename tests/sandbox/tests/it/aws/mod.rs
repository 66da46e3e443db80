//! The AWS account.

mod elbv2;
mod route53;
mod transport;
