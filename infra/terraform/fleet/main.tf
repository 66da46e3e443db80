# How a fleet is checked within AWS's request limits: arithmetic, and no resource of AWS.
#
# AWS counts requests for each account and Region, whichever invocation sends them. An invocation knows only its own
# requests, so each of those that run at the same time gets an equal share of the limits.

locals {
  # What Elastic Load Balancing takes a second of an account in a Region: `rates.rs` of `repoint` has the same, with the sources.
  reads_per_second  = 10
  writes_per_second = 4

  bundle   = jsondecode(var.bundle)
  clusters = local.bundle.clusters
  arns     = concat(local.bundle.target_groups, local.bundle.listeners)

  # A pass reads each group and each listener once, and of a warm group the health check, too.
  warm            = length(regexall("(?m)^\\s*strategy *= *\"warm\"", local.bundle.configuration))
  reads           = length(local.arns) + local.warm
  groups_to_write = max(length(local.bundle.target_groups) - local.warm, 0)

  # Limits are those of one account and Region: the one with the most endpoints decides.
  places  = [for arn in local.arns : join(" ", slice(split(":", arn), 3, 5))]
  busiest = max(0, [for place in distinct(local.places) : length([for it in local.places : it if it == place])]...) / max(1, length(local.arns))

  concurrency = var.shards_at_once + var.callbacks_at_once
  share       = floor(var.limit_percent / local.concurrency)

  # Scheduler calls within a minute after the time that it is given.
  seconds_per_shard = 60 * var.minutes_per_shard - 60
  reads_per_cluster = local.reads * local.busiest / length(local.clusters)
  reads_per_shard   = local.seconds_per_shard * local.reads_per_second * local.share / 100
  fitting           = local.reads_per_cluster == 0 ? length(local.clusters) : floor(local.reads_per_shard / local.reads_per_cluster)
  most_per_shard    = min(coalesce(var.clusters_per_shard, local.fitting), local.fitting)

  # Shards of the same size, or one less.
  shard_count        = ceil(length(local.clusters) / max(1, local.most_per_shard))
  clusters_per_shard = ceil(length(local.clusters) / local.shard_count)
  shards             = chunklist(sort(local.clusters), local.clusters_per_shard)

  # Shards follow each other, evenly over a round, and the round begins again after a whole part of an hour, or whole hours: what cron can say.
  slots          = ceil(length(local.shards) / var.shards_at_once)
  needed_minutes = local.slots * var.minutes_per_shard
  hourly         = [for minutes in [2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] : minutes if minutes % var.minutes_per_shard == 0]
  rounds         = [for minutes in concat(local.hourly, [120, 180, 240, 360, 480, 720, 1440]) : minutes if minutes >= local.needed_minutes]
  round_minutes  = length(local.rounds) == 0 ? null : local.rounds[0]
  apart          = floor(coalesce(local.round_minutes, 1440) / local.slots)
  starts         = [for i in range(length(local.shards)) : floor(i / var.shards_at_once) * local.apart]

  schedules = {
    for i, clusters in local.shards : format("shard-%03d", i) => {
      clusters = clusters
      dry_run  = false
      expression = try(local.round_minutes <= 60 ? (
        "cron(${local.starts[i]}${local.round_minutes == 60 ? "" : "/${local.round_minutes}"} * * * ? *)"
        ) : (
        "cron(${local.starts[i] % 60} ${floor(local.starts[i] / 60)}${local.round_minutes == 1440 ? "" : "/${local.round_minutes / 60}"} * * ? *)"
      ), "")
    }
  }

  # So many clusters move in a minute, if many fail over at once: two writes for each group that is not warm.
  writes_per_cluster   = 2 * local.groups_to_write * local.busiest / length(local.clusters)
  failovers_per_minute = local.writes_per_cluster == 0 ? null : floor(60 * local.writes_per_second * local.share * var.callbacks_at_once / 100 / local.writes_per_cluster)

  configured = [for found in regexall("(?m)^\\s*limit_percent *= *([0-9]+)", local.bundle.configuration) : tonumber(found[0])]
  misnamed = concat(
    [for name in local.clusters : name if !startswith(name, var.prefix)],
    [for arn in local.bundle.target_groups : arn if !startswith(split("/", arn)[1], var.prefix)],
    [for arn in local.bundle.listeners : arn if !startswith(split("/", arn)[2], var.prefix)],
    [for name in local.record_names : name if !startswith(name, var.prefix)],
  )
}

# Without a resource that could be made, a precondition is checked when planning.
resource "terraform_data" "checked" {
  input = local.numbers

  lifecycle {
    precondition {
      condition     = local.share >= 1
      error_message = "${local.concurrency} invocations at a time (`shards_at_once` ${var.shards_at_once}, `callbacks_at_once` ${var.callbacks_at_once}) leave each of them less than 1 % of AWS's limits (`limit_percent` ${var.limit_percent}). Lower `shards_at_once`."
    }
    precondition {
      condition     = local.share < 1 || local.fitting >= 1
      error_message = "An invocation may send ${floor(local.reads_per_shard)} reads in ${local.seconds_per_shard} s, with ${local.share} % of AWS's ${local.reads_per_second} a second, but one cluster takes ${ceil(local.reads_per_cluster)}. Raise `minutes_per_shard` (${var.minutes_per_shard}), or lower `shards_at_once` (${var.shards_at_once})."
    }
    precondition {
      condition     = var.clusters_per_shard == null || local.fitting < 1 || try(var.clusters_per_shard <= local.fitting, false)
      error_message = "`clusters_per_shard` is ${coalesce(var.clusters_per_shard, 0)}, but an invocation can check ${local.fitting} in ${local.seconds_per_shard} s, with ${local.share} % of AWS's ${local.reads_per_second} reads a second. Lower it, or raise `minutes_per_shard` (${var.minutes_per_shard})."
    }
    precondition {
      condition     = local.fitting < 1 || try(local.round_minutes <= var.round_minutes_at_most, false)
      error_message = "${length(local.clusters)} clusters in ${length(local.shards)} shards, ${var.shards_at_once} at a time for ${var.minutes_per_shard} minutes, take ${local.needed_minutes} minutes, which makes a round of ${coalesce(local.round_minutes, 1440)} minutes; `round_minutes_at_most` is ${var.round_minutes_at_most}. AWS's limits let no process check them faster than in ${ceil(local.reads * local.busiest / (local.reads_per_second * var.limit_percent / 100) / 60)} minutes. Raise `shards_at_once`, which takes from the callbacks' share, or `round_minutes_at_most`; use warm groups, whose failovers need no request; divide the fleet between accounts or Regions; or have AWS raise the limits, and `limit_percent` with them."
    }
    precondition {
      condition     = length(jsonencode(local.shards[0])) < 200000
      error_message = "The input of a schedule has ${length(jsonencode(local.shards[0]))} bytes, but EventBridge Scheduler's limit is 256 KB. Set `clusters_per_shard` below ${local.clusters_per_shard}."
    }
    precondition {
      condition     = local.share < 1 || (length(local.configured) == 1 && try(local.configured[0] == local.share, false))
      error_message = "The configuration must have `limit_percent = ${local.share}` under `[aws]` (${var.limit_percent} % for ${local.concurrency} invocations at a time), but it has ${length(local.configured) == 0 ? "none, which means 90" : join(", ", local.configured)}."
    }
    precondition {
      condition     = length(local.misnamed) == 0
      error_message = "${length(local.misnamed)} names do not begin with `${var.prefix}`, such as ${join(", ", slice(local.misnamed, 0, min(3, length(local.misnamed))))}. The function would not be allowed to change them: set `prefix` to what all names begin with."
    }
  }
}
