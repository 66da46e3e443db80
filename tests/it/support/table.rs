//! A table of state in the sandbox's DynamoDB, for servers that answer for the rest of AWS themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_sandbox::aws::{Account, wire};
use repoint_sandbox::http::exchange;
use serde_json::{Value, json};

use super::command::Repoint;
use super::http::{Reply, Request};

const TABLE: &str = "repoint";

/// One table, which several servers may have.
#[derive(Clone)]
pub struct Table(Arc<Mutex<Account>>);

impl Table {
    /// An empty one.
    pub fn new() -> Self {
        let mut account = Account::default();
        account.create_table(0, TABLE, "scope").unwrap();
        Self(Arc::new(Mutex::new(account)))
    }

    /// Its account.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its answer, if it was asked.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        request.headers.get("x-amz-target").filter(|target| target.starts_with("DynamoDB_"))?;
        let asked = exchange::Request {
            method: request.method.clone(),
            path: request.path.clone(),
            query: String::new(),
            headers: request.headers.clone(),
            body: request.body.clone().into_bytes(),
        };
        match wire::answer(&mut self.account(), 0, &asked) {
            exchange::Reply::Full { status, content_type, body, .. } => {
                Some(Reply::Full(status, content_type, String::from_utf8(body).unwrap()))
            }
            exchange::Reply::Hang | exchange::Reply::Reset => Some(Reply::Hang),
        }
    }

    /// What is remembered under that key.
    pub fn state(&self, key: &str) -> Option<Value> {
        let key = [("scope".to_owned(), json!({"S": key}))].into_iter().collect();
        let item = self.account().get_item(0, TABLE, &key, true).unwrap()?;
        Some(serde_json::from_str(item["state"]["S"].as_str().unwrap()).unwrap())
    }
}

/// With its state in the table.
pub fn in_table(repoint: Repoint) -> Repoint {
    repoint.without("REPOINT_STATE_FILE").with("REPOINT_STATE_DYNAMODB_TABLE", TABLE)
}
