output "numbers" {
  description = "What was worked out: shards, how often each cluster is checked, and each invocation's share of AWS's limits."
  value       = module.fleet.numbers
}

output "function_name" {
  description = "Name of the function."
  value       = module.repoint.function_name
}

output "role_name" {
  description = "Name of the function's role."
  value       = module.repoint.role_name
}

output "schedule_group_name" {
  description = "Name of the group of schedules, one for each shard."
  value       = module.repoint.schedule_group_name
}

output "trigger_topic_arn" {
  description = "ARN of the topic that Patroni's callbacks publish to."
  value       = module.repoint.trigger_topic_arn
}

output "alert_topic_arn" {
  description = "ARN of the topic of alerts."
  value       = module.repoint.alert_topic_arn
}
