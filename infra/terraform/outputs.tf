output "function_name" {
  description = "The function: `aws lambda invoke --function-name … --payload '{\"dry_run\": true}'`."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "The function's ARN: the newest code, whatever the alias calls."
  value       = aws_lambda_function.this.arn
}

output "alias_arn" {
  description = "What other triggers call, such as an EC2 state change: the alias `live`."
  value       = aws_lambda_alias.live.arn
}

output "newest_version" {
  description = "The version that was published last; `function_version` takes it, or an earlier one."
  value       = aws_lambda_function.this.version
}

output "role_name" {
  description = "The function's role, for reading what it may do."
  value       = reverse(split("/", local.role_arn))[0]
}

output "role_arn" {
  description = "The function's role, for the policies of keys and of other accounts."
  value       = local.role_arn
}

output "role_policies" {
  description = "What the function's role must allow, as JSON by name: for a `role` that is given."
  value       = { repoint = local.policy, lambda = local.own_policy }
}

output "trigger_topic_arn" {
  description = "Where Patroni's callbacks publish: `callback.sns_topic_arn`."
  value       = local.trigger_topic_arn
  depends_on  = [aws_sns_topic.this]
}

output "alert_topic_arn" {
  description = "Where people subscribe: `alerts.sns_topic_arn`."
  value       = local.alert_topic_arn
  depends_on  = [aws_sns_topic.this]
}

output "table_name" {
  description = "Where memory is kept: `state.dynamodb_table`."
  value       = local.table_name
  depends_on  = [aws_dynamodb_table.this]
}

output "failure_queue_arn" {
  description = "The queue of invocations that failed for good."
  value       = local.failure_queue_arn
  depends_on  = [aws_sqs_queue.failures]
}

output "security_group_id" {
  description = "The function's security group, to be let in to Patroni's port; null outside of a VPC."
  value       = one(aws_security_group.function[*].id)
}

output "log_group_name" {
  description = "The log: `aws logs tail …`."
  value       = aws_cloudwatch_log_group.function.name
}

output "schedule_group_name" {
  description = "The schedules' group."
  value       = aws_scheduler_schedule_group.this.name
}

output "alarm_names" {
  description = "The alarms."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name], aws_cloudwatch_metric_alarm.no_success[*].alarm_name)
}
