//! The AWS account.

mod door;
mod elbv2;
mod route53;
