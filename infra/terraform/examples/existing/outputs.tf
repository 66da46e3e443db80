output "function_name" {
  description = "The function."
  value       = module.repoint.function_name
}

output "role_name" {
  description = "The function's role."
  value       = module.repoint.role_name
}

output "trigger_topic_arn" {
  description = "Where Patroni's callbacks publish."
  value       = module.repoint.trigger_topic_arn
}

output "second_function_arn" {
  description = "The function of the second Region; null without one."
  value       = one(module.second[*].function_arn)
}
