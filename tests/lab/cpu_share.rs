//! The part of a CPU that Lambda gives a function: all of one with 1,769 MB of memory, and in proportion with less ("Configure
//! Lambda function memory", AWS Lambda Developer Guide). A control group with a quota imitates it. AWS publishes no period; the
//! one here is short, so that little is done before the quota has an effect.

use std::fs;
use std::path::{Path, PathBuf};

const FULL_CPU_MB: u32 = 1769;
const PERIOD_US: u32 = 20_000;

pub struct CpuShare {
    group: PathBuf,
    is_unified: bool,
}

impl CpuShare {
    /// A group without a quota; `None` where none can be made, as without root or in a container.
    pub fn new() -> Option<Self> {
        let [unified, own] = ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu"].map(Path::new);
        let is_unified = unified.join("cgroup.controllers").exists();
        let parent = if is_unified { unified } else { own };
        if is_unified {
            fs::write(parent.join("cgroup.subtree_control"), "+cpu").ok()?;
        }
        let group = parent.join(format!("repoint-lab-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let share = Self { group, is_unified };
        share.limit(None).ok()?;
        Some(share)
    }

    /// Gives its processes what a function with so much memory gets; without any, as much as there is.
    pub fn limit(&self, memory_mb: Option<u32>) -> anyhow::Result<()> {
        let quota_us = memory_mb.map(|memory_mb| PERIOD_US * memory_mb / FULL_CPU_MB);
        if self.is_unified {
            let quota = quota_us.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
            fs::write(self.group.join("cpu.max"), format!("{quota} {PERIOD_US}"))?;
        } else {
            fs::write(self.group.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            let quota = quota_us.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
            fs::write(self.group.join("cpu.cfs_quota_us"), quota)?;
        }
        Ok(())
    }

    /// A process that writes its id here is in the group from then on, with those that it starts.
    pub fn members(&self) -> PathBuf {
        self.group.join("cgroup.procs")
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        // It can be removed once its processes have ended.
        drop(fs::remove_dir(&self.group));
    }
}
