//! The scenario, step by step.
//!
//! A step is what happens to the cluster and AWS, what is waited for, and what must be true at its end. The end is checked by
//! [`check`](crate::check).

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use repoint_sandbox::Millis;
use repoint_sandbox::http::sandbox::{OBSERVER, Sandbox, Setup, Site};
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::patroni::{Event, EventKind, MemberId};

pub use crate::scenario::watch::{Turn, Watch};

use crate::check::{Truth, listed, strays};
use crate::page::{Page, Tone, Voice, cell, paint};
use crate::program::Program;

mod table;
mod watch;

/// How often `repoint run` is begun: as a timer would.
const EVERY: Duration = Duration::from_millis(500);
/// The longest that one wait of a step may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long AWS goes on refusing calls after the promotion.
const THROTTLED: Millis = 2_000;
/// How many passes must have held before an operator ends the split brain.
const HELD: usize = 3;

/// The world, and `repoint` in it.
pub struct Stage {
    pub sandbox: Sandbox,
    pub program: Program,
}

impl Stage {
    pub fn new() -> io::Result<Self> {
        let sandbox = Sandbox::start(Setup::quick())?;
        let program = Program::install()?;
        let configuration = sandbox.configuration(&program.state_file().display().to_string());
        std::fs::write(program.configuration(), configuration)?;
        Ok(Self { sandbox, program })
    }
}

/// How the scenario ended.
pub enum Ending {
    Passed,
    Failed(Vec<String>),
}

/// One switch of the primary, as it went.
struct Switch {
    title: &'static str,
    from: String,
    to: String,
    /// The members that got new connections when the cluster had no leader.
    before: String,
    /// How long no member took writes: from the fault or the switchover to the promotion.
    election: Option<Millis>,
    /// From the promotion to the last write of an endpoint.
    moved: Option<Millis>,
}

/// What is wrong, if something is.
type Step<T> = Result<T, Vec<String>>;

/// A promotion.
struct Promotion {
    at: Millis,
    /// The members that got new connections until then.
    routes: String,
}

struct Scenario<'a> {
    stage: &'a Stage,
    page: &'a mut Page,
    watch: Watch<'a>,
    switches: Vec<Switch>,
}

/// Plays and prints it.
pub async fn play(stage: &Stage, page: &mut Page) -> Ending {
    header(stage, page);
    let watch = Watch::new(stage, EVERY);
    let mut scenario = Scenario { stage, page, watch, switches: Vec::new() };
    match scenario.steps().await {
        Ok(()) => {
            scenario.summary();
            Ending::Passed
        }
        Err(wrong) => Ending::Failed(wrong),
    }
}

fn header(stage: &Stage, page: &mut Page) {
    page.line(&format!(
        "{}  {}",
        paint(Tone::Strong, "repoint"),
        paint(
            Tone::Faint,
            "a Patroni cluster and an AWS account, simulated on loopback; repoint itself is real"
        ),
    ));
    page.line("");
    let lines = stage.sandbox.with(|site| {
        let settings = site.cluster.settings();
        let mut lines = vec![(
            "cluster".to_owned(),
            format!(
                "{}, Patroni {}, ttl {} s, loop_wait {} s",
                site.cluster.scope(),
                settings.version.number(),
                settings.ttl / 1000,
                settings.loop_wait / 1000
            ),
        )];
        let leader = site.cluster.leader();
        for member in site.cluster.ids() {
            let spec = site.cluster.spec(member);
            let role = match leader {
                Some((leads, timeline)) if leads == member => format!("primary on timeline {timeline}"),
                _ => "replica".to_owned(),
            };
            let words = format!(
                "{}:{}  REST {}:{}  {role}",
                spec.postgres.0, spec.postgres.1, spec.rest.0, spec.rest.1
            );
            lines.push((format!("  {}", spec.name), words));
        }
        let group = site.resources.ip_group.split('/').nth(1).unwrap_or_default();
        lines.push(("target group".to_owned(), format!("{group}, empty")));
        lines.push(("record".to_owned(), format!("{}, not there yet", repoint_sandbox::transport::NAME)));
        let topic = site.resources.topic.rsplit(':').next().unwrap_or_default();
        lines.push(("topic".to_owned(), topic.to_owned()));
        lines
    });
    for (what, words) in lines {
        page.line(&format!("   {what:14}{words}"));
    }
    let every = EVERY.as_millis();
    page.line(&format!(
        "   {:14}a new process every {every} ms, and nothing else knows of a switch",
        "repoint run"
    ));
}

impl Scenario<'_> {
    async fn steps(&mut self) -> Step<()> {
        self.adoption().await?;
        self.crash().await?;
        self.switchover().await?;
        self.split_brain().await?;
        self.throttled().await?;
        let wrong = self.with(|site| strays(site.writes(), &promotions(site)));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    async fn adoption(&mut self) -> Step<()> {
        self.page.step(
            1,
            "First adoption",
            "No endpoint points at a member yet. repoint asks Patroni which member is the primary.",
        );
        let began = self.now();
        self.endpoints_follow().await?;
        let to = self.with(|site| listed(&Truth::of(site).writers));
        let moved = self.last_write(began).map(|at| at - began);
        let before = "no member".to_owned();
        self.close(Switch { title: "first adoption", from: String::new(), to, before, election: None, moved })
            .await
    }

    async fn crash(&mut self) -> Step<()> {
        self.page.step(
            2,
            "The primary crashes",
            "Patroni elects another when the leader key has run out. Until then there is no leader, and repoint holds.",
        );
        let (began, old) = self.crash_primary()?;
        let held = self.watch.passes_held;
        let promoted = self.promotion_after(began, old).await?;
        if self.watch.passes_held == held {
            return Err(vec!["the cluster had no leader, and no pass of repoint held".to_owned()]);
        }
        self.endpoints_follow().await?;
        self.switched("crash of the primary", began, promoted, old).await?;
        self.restart(old).await
    }

    async fn switchover(&mut self) -> Step<()> {
        self.page.step(
            3,
            "A planned switchover",
            "An operator moves the primary; the old one shuts down cleanly first.",
        );
        let old = self.primary()?;
        let next = self.replica_beside(old)?;
        self.wait("the switchover is refused", |_, site| {
            // A copy is asked what the answer would be.
            site.cluster.clone().switchover(site.now, next).is_ok()
        })
        .await?;
        let began = self.now();
        let (asked, name) =
            self.with(|site| (site.cluster.switchover(site.now, next), site.name(next).to_owned()));
        self.say(Voice::Operator, &format!("patronictl switchover --candidate {name}"));
        asked.map_err(|refusal| vec![format!("the switchover was refused: {refusal:?}")])?;
        let promoted = self.promotion_after(began, old).await?;
        self.endpoints_follow().await?;
        self.switched("planned switchover", began, promoted, old).await
    }

    async fn split_brain(&mut self) -> Step<()> {
        self.page.step(
            4,
            "Split brain",
            "A second member takes writes, on the same timeline: neither is known to be right. repoint never guesses;\n\
             it changes nothing, and publishes an alert at once.",
        );
        self.complete().await?;
        let real = self.primary()?;
        let other = self.replica_beside(real)?;
        let written = self.with(|site| {
            site.cluster.force_split_brain(site.now, other);
            site.writes().len()
        });
        let mut held = 0;
        self.wait("no pass held because of the split brain", |turn, site| {
            held += usize::from(turn.holds_for("contested"));
            held >= HELD && site.messages().iter().any(|message| is_about(&message.message, "contested"))
        })
        .await?;
        self.table(None).await?;
        let (writers, name) = self.with(|site| (Truth::of(site).writers, site.name(other).to_owned()));
        if writers.len() != 2 {
            return Err(vec![format!("{} took writes, and it should have been two", listed(&writers))]);
        }
        self.say(Voice::Operator, &format!("stop {name}, and start it again as a replica"));
        self.with(|site| site.cluster.stop(site.now, other));
        self.wait("the second primary did not stop", |_, site| site.cluster.reach(other, OBSERVER).is_err())
            .await?;
        self.with(|site| site.cluster.start(site.now, other));
        self.at_ease().await?;
        self.endpoints_follow().await?;
        let after = self.with(|site| site.writes().len());
        if after != written {
            return Err(vec![format!("{} writes while the primary was contested", after - written)]);
        }
        self.table(None).await?;
        self.page.line(&format!(
            "          {}{}",
            cell(Tone::Faint, "held", 9),
            paint(Tone::Strong, &format!("{held} passes, and wrote nothing while two members took writes"))
        ));
        Ok(())
    }

    async fn throttled(&mut self) -> Step<()> {
        self.page.step(
            5,
            "AWS refuses calls in the middle of a failover",
            "Rate exceeded, for two seconds after the promotion. repoint backs off, tries again, and gets through.",
        );
        self.at_ease().await?;
        let (began, old) = self.crash_primary()?;
        self.wait("the leader key never ran out", |_, site| {
            site.events().iter().any(|event| event.at >= began && event.what == EventKind::KeyRanOut)
        })
        .await?;
        self.with(Site::throttle);
        self.say(Voice::Aws, "refuses every call: ThrottlingException, Rate exceeded");
        let calls = self.with(|site| site.account.calls().len());
        let promoted = self.promotion_after(began, old).await?;
        self.wait("the clock of the sandbox stands still", |_, site| site.now >= promoted.at + THROTTLED)
            .await?;
        let refused = self.with(|site| {
            let refused = site.account.calls().len() - calls;
            site.heal_aws();
            refused
        });
        self.say(Voice::Aws, &format!("answers again, after {refused} refusals"));
        if refused == 0 {
            return Err(vec!["AWS was throttled, and no call was refused".to_owned()]);
        }
        self.endpoints_follow().await?;
        self.switched("crash, AWS throttled", began, promoted, old).await
    }

    /// The end of a step that moved the primary.
    async fn switched(
        &mut self,
        title: &'static str,
        began: Millis,
        promoted: Promotion,
        old: MemberId,
    ) -> Step<()> {
        let last = self.last_write(promoted.at);
        let switch = self.with(|site| Switch {
            title,
            from: site.name(old).to_owned(),
            to: listed(&Truth::of(site).writers),
            before: promoted.routes,
            election: Some(promoted.at - began),
            moved: last.map(|at| at - promoted.at),
        });
        if switch.to == switch.from {
            return Err(vec![format!("{} is still the primary", switch.to)]);
        }
        self.close(switch).await
    }

    async fn close(&mut self, switch: Switch) -> Step<()> {
        self.table(Some(&switch)).await?;
        self.switches.push(switch);
        Ok(())
    }

    /// Waits until clients get to the member that takes writes, and a pass has found nothing more to do.
    async fn endpoints_follow(&mut self) -> Step<()> {
        let mut set_at = None;
        let waited = self
            .wait("", |turn, site| {
                let truth = Truth::of(site);
                if !truth.is_set() {
                    set_at = None;
                } else if set_at.is_none() {
                    set_at = Some(site.now);
                }
                truth.is_served() && turn.converged_after(set_at)
            })
            .await;
        let wrong = self.with(|site| Truth::of(site).wrong());
        match (waited, wrong.is_empty()) {
            (Ok(()), true) => Ok(()),
            (Err(_), true) => Err(vec!["no pass of repoint found every endpoint right".to_owned()]),
            (_, false) => Err(wrong),
        }
    }

    /// When another than `old` was promoted.
    async fn promotion_after(&mut self, began: Millis, old: MemberId) -> Step<Promotion> {
        let routes = self.with(|site| listed(&Truth::of(site).routes));
        self.wait("no member was promoted", |_, site| {
            site.cluster.leader().is_some_and(|(leader, _)| leader != old)
        })
        .await?;
        let at = self.with(|site| {
            let promoted = |event: &&Event| matches!(event.what, EventKind::Promoted(_)) && event.at >= began;
            site.events().iter().find(promoted).map(|event| event.at)
        });
        Ok(Promotion { at: at.ok_or_else(|| vec!["no member was promoted".to_owned()])?, routes })
    }

    /// Starts a member again, and waits until it follows.
    async fn restart(&mut self, member: MemberId) -> Step<()> {
        let name = self.with(|site| site.name(member).to_owned());
        self.page.line("");
        self.say(Voice::Operator, &format!("start {name} again"));
        self.with(|site| site.cluster.start(site.now, member));
        self.complete().await
    }

    /// Waits until there is one primary, and the other members are replicas.
    async fn complete(&mut self) -> Step<()> {
        self.wait("a member did not come back", |_, site| {
            let leads = site.cluster.leader().is_some();
            leads && site.cluster.ids().all(|member| site.cluster.runs_postgres(member))
        })
        .await
    }

    /// Waits until there is one primary and every other member follows it.
    async fn at_ease(&mut self) -> Step<()> {
        self.wait("the members did not come to follow the primary", |_, site| {
            let Some((_, timeline)) = site.cluster.leader() else { return false };
            site.cluster.ids().all(|member| {
                let health = site.cluster.health(site.now, member, OBSERVER);
                health.is_ok_and(|(_, health)| health.timeline == Some(timeline))
            })
        })
        .await
    }

    /// Prints events until `is_so`.
    async fn wait(&mut self, complaint: &str, mut is_so: impl FnMut(&Turn, &Site) -> bool) -> Step<()> {
        let waiting = async {
            loop {
                let turn = self.watch.next(self.page).await;
                if self.stage.sandbox.with(|site| is_so(&turn, site)) {
                    return;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, waiting).await.map_err(|_| vec![complaint.to_owned()])
    }

    fn crash_primary(&mut self) -> Step<(Millis, MemberId)> {
        let old = self.primary()?;
        let began = self.now();
        self.with(|site| site.cluster.crash(site.now, old, Silence::Refused));
        Ok((began, old))
    }

    fn primary(&self) -> Step<MemberId> {
        let leader = self.with(|site| site.cluster.leader());
        leader.map(|(leader, _)| leader).ok_or_else(|| vec!["there is no primary".to_owned()])
    }

    /// The last of the others.
    fn replica_beside(&self, primary: MemberId) -> Step<MemberId> {
        let other = self.with(|site| site.cluster.ids().filter(|member| *member != primary).last());
        other.ok_or_else(|| vec!["there is no replica".to_owned()])
    }

    fn last_write(&self, began: Millis) -> Option<Millis> {
        self.with(|site| site.writes().last().map(|write| write.at).filter(|at| *at >= began))
    }

    fn say(&mut self, voice: Voice, words: &str) {
        let now = self.now();
        self.page.says(now, voice, Tone::Plain, words);
    }

    fn now(&self) -> Millis {
        self.with(|site| site.now)
    }

    fn with<T>(&self, step: impl FnOnce(&mut Site) -> T) -> T {
        self.stage.sandbox.with(step)
    }

    async fn table(&mut self, switch: Option<&Switch>) -> Step<()> {
        let status = self.stage.program.ask("status").await.map_err(|error| vec![error])?;
        let truth = self.with(|site| Truth::of(site));
        let names: BTreeMap<String, String> = self.with(|site| {
            let spec = |member| site.cluster.spec(member);
            let known = |member| {
                let (host, port) = &spec(member).rest;
                let name = spec(member).name.to_string();
                [(spec(member).postgres.0.to_string(), name.clone()), (format!("http://{host}:{port}"), name)]
            };
            site.cluster.ids().flat_map(known).collect()
        });
        let lines = table::step(&status, &truth, switch, &|known| names.get(known).cloned());
        self.page.line("");
        for line in lines {
            self.page.line(&line);
        }
        Ok(())
    }

    fn summary(&mut self) {
        let (truth, now, writes, messages) =
            self.with(|site| (Truth::of(site), site.now, site.writes().len(), site.messages().len()));
        self.page.line("");
        self.page.line(&paint(Tone::Strong, "The switches"));
        self.page.line("");
        for line in table::summary(&self.switches) {
            self.page.line(&line);
        }
        self.page.line("");
        self.page.line(&format!(
            "   {} {} passes, {writes} writes, {messages} messages, {}.{} s in all.",
            paint(
                Tone::Good,
                &format!("Every endpoint points at {}, which takes the writes.", listed(&truth.writers))
            ),
            self.watch.passes,
            now / 1000,
            now % 1000 / 100,
        ));
        self.page.line(&paint(
            Tone::Faint,
            "   Real AWS needs time of its own until traffic follows; infra/guide/entry-points.md says how much.",
        ));
        self.page.line(&paint(Tone::Faint, "   Break it by hand: cargo demo -- --keep"));
    }
}

/// The newest primary and since when, by address.
fn promotions(site: &Site) -> Vec<(Millis, String)> {
    let address = |member| site.cluster.spec(member).postgres.0.to_string();
    let first = (0, address(MemberId(0)));
    let later = site.events().iter().filter_map(|event| {
        let promoted = matches!(event.what, EventKind::Promoted(_));
        let member = event.member.as_ref().filter(|_| promoted)?;
        Some((event.at, address(site.cluster.member(member)?)))
    });
    std::iter::once(first).chain(later).collect()
}

fn is_about(message: &repoint_sandbox::aws::sns::Message, event: &str) -> bool {
    message.attributes.get("event").is_some_and(|name| name == event)
}
