output "bundle" {
  description = "The bundle for the module that makes the function, with a policy that IAM accepts."
  value       = jsonencode(merge(local.bundle, { policy = local.policy }))
}

output "schedules" {
  description = "A schedule for each shard: `schedules` of the module that makes the function."
  value       = local.schedules
  depends_on  = [terraform_data.checked]
}

output "reserved_concurrency" {
  description = "How many invocations may run at a time: `reserved_concurrency` of that module."
  value       = local.concurrency
}

output "callback_batches" {
  description = "How callbacks are handled: `callback_batches` of that module."
  value       = { at_once = var.callbacks_at_once }
}

output "timeout_seconds" {
  description = "`timeout_seconds` of that module."
  value       = 60 * var.minutes_per_shard
}

output "no_success_minutes" {
  description = "`no_success_minutes` of that module: by then two shards should have ended."
  value       = 2 * local.apart + var.minutes_per_shard
}

output "numbers" {
  description = "What was worked out: `share_percent` of AWS's limits for each invocation, `clusters_per_shard`, `shards`, `round_minutes` until each cluster is checked again, and `failovers_per_minute` that callbacks follow if many clusters fail over at once (null: failovers need no request)."
  value       = local.numbers
}

locals {
  numbers = {
    clusters             = length(local.clusters)
    share_percent        = local.share
    clusters_per_shard   = local.clusters_per_shard
    shards               = length(local.shards)
    round_minutes        = local.round_minutes
    failovers_per_minute = local.failovers_per_minute
  }
}
