output "function_name" {
  description = "Name of the function."
  value       = module.repoint.function_name
}

output "role_name" {
  description = "Name of the function's role."
  value       = module.repoint.role_name
}

output "trigger_topic_arn" {
  description = "ARN of the topic that Patroni's callbacks publish to."
  value       = module.repoint.trigger_topic_arn
}

output "second_function_arn" {
  description = "Name of the second Region's function; null without one."
  value       = one(module.second[*].function_arn)
}
