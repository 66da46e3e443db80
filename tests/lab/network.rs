//! The networks of two Regions, which can be parted: a network namespace each, with the lab's own as the router between them.
//! The DCS and AWS's API have addresses of the lab's, in neither Region.
//!
//! Between two parted places everything is dropped without an answer, as by a network ACL. The lab itself reaches everything.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tokio::process::Command;

use crate::service::Service;
use crate::wait::wait_until;

/// Where the DCS is.
pub const DCS: &str = "10.77.3.1";
/// Where the Regions find the emulated AWS.
pub const API: &str = "10.77.4.1";
/// The last number of the address that HAProxy and its daemon have in each network.
pub const PROXY: u8 = 5;
/// Those of members.
const MEMBERS: [u8; 3] = [11, 12, 13];

/// Forgets how places were parted before. The rules by which they are stand before the one of local addresses, which is the
/// first of all otherwise.
const ROUTER: &str = "
echo 1 >/proc/sys/net/ipv4/ip_forward
for address; do ip address replace $address/32 dev lo; done
while ip rule delete priority 10 2>/dev/null; do :; done
[ -n \"$(ip rule show priority 20)\" ] || { ip rule add priority 20 lookup local; ip rule delete priority 0; }
";
const JOIN: &str = "
number=$1 process=$2
shift 2
ip link delete region$number 2>/dev/null || :
ip link add region$number type veth peer name eth0 netns $process
ip address add 10.77.$number.1/24 dev region$number
ip link set region$number up
inside=\"nsenter --net=/proc/$process/ns/net ip\"
$inside link set lo up
for host; do $inside address add 10.77.$number.$host/24 dev eth0; done
$inside link set eth0 up
$inside route add default via 10.77.$number.1
";

/// Where a program runs: in the lab's own network, or in that of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(Option<u32>);

impl Place {
    /// The same program with the same arguments and variables, there.
    pub fn enter(self, command: Command) -> Command {
        let Some(process) = self.0 else { return command };
        let command = command.as_std();
        let mut inside = Command::new("nsenter");
        inside
            .arg(format!("--net=/proc/{process}/ns/net"))
            .arg(command.get_program())
            .args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

/// The network of a Region, as long as the process that holds it.
pub struct Network {
    number: u8,
    place: Place,
    _holder: Service,
}

impl Network {
    /// Those of two Regions.
    pub async fn pair(folder: &Path) -> anyhow::Result<[Self; 2]> {
        shell(ROUTER, &[DCS.to_owned(), API.to_owned()]).await?;
        Ok([Self::new(folder, 1).await?, Self::new(folder, 2).await?])
    }

    async fn new(folder: &Path, number: u8) -> anyhow::Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let holder = Service::start(command, &folder.join("network.log"))?;
        let process = holder.id()?;
        let own = fs::read_link("/proc/self/ns/net")?;
        wait_until("a process has a network of its own", Duration::from_secs(5), async || {
            ensure!(fs::read_link(format!("/proc/{process}/ns/net"))? != own, "{}", holder.log_tail());
            Ok(())
        })
        .await?;
        let words = [number.to_string(), process.to_string()].into_iter();
        let hosts = [PROXY].into_iter().chain(MEMBERS).map(|host| host.to_string());
        shell(JOIN, &words.chain(hosts).collect::<Vec<_>>()).await?;
        Ok(Self { number, place: Place(Some(process)), _holder: holder })
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn addresses(&self) -> String {
        format!("10.77.{}.0/24", self.number)
    }

    pub fn host(&self, last: u8) -> String {
        format!("10.77.{}.{last}", self.number)
    }
}

/// Drops what goes between two places from now on, in both directions.
pub async fn part(one: &str, other: &str) -> anyhow::Result<()> {
    rules("add", one, other).await
}

pub async fn join(one: &str, other: &str) -> anyhow::Result<()> {
    rules("delete", one, other).await
}

async fn rules(verb: &str, one: &str, other: &str) -> anyhow::Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let line = format!("ip rule {verb} priority 10 from {from} to {to} blackhole");
        shell(&line, &[]).await?;
    }
    Ok(())
}

async fn shell(script: &str, words: &[String]) -> anyhow::Result<()> {
    let said = Command::new("sh").args(["-euc", script, "sh"]).args(words).output().await?;
    let error = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "networks of Regions cannot be made or parted here: {error}");
    Ok(())
}
