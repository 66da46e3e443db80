//! Memory: a table with conditional writes.

use async_trait::async_trait;
use repoint::domain::cluster::EntryName;
use repoint::domain::failure::{Failure, Kind};
use repoint::domain::memory::Memory;
use repoint::domain::world::Read;
use repoint::ports::Store;

use super::Line;

const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";

fn failure(call: &str, kind: Kind, message: &str) -> Failure {
    Failure { kind, call: call.to_owned(), resource: "table repoint".to_owned(), message: message.to_owned() }
}

#[async_trait]
impl Store for Line {
    async fn load(&self, _entry: &EntryName) -> Read<Memory> {
        self.call(GET, "table repoint", None, |world, _| {
            if world.is_memory_down {
                return Err(failure(GET, Kind::Unavailable, "no answer within the time allowed"));
            }
            Ok(world.memory.clone())
        })
        .await
    }

    async fn save(&self, _entry: &EntryName, memory: &Memory) -> Result<(), Failure> {
        let (next, by) = (memory.clone(), self.identity.clone());
        self.call(PUT, "table repoint", None, move |world, now| {
            if world.is_memory_down {
                return Err(failure(PUT, Kind::Unavailable, "no answer within the time allowed"));
            }
            if world.is_memory_read_only {
                return Err(failure(PUT, Kind::Throttled, "ThrottlingException: Rate exceeded"));
            }
            if world.memory.revision + 1 != next.revision {
                return Err(failure(PUT, Kind::Conflict, "ConditionalCheckFailedException"));
            }
            world.saved(now, &by, next);
            Ok(())
        })
        .await
    }
}
