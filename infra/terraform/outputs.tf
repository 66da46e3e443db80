output "function_name" {
  description = "Name of the function: `aws lambda invoke --function-name … --payload '{\"dry_run\": true}'`."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function with its newest code, whatever version the alias points to."
  value       = aws_lambda_function.this.arn
}

output "alias_arn" {
  description = "ARN of the alias `live`, for other triggers such as an EC2 state change."
  value       = aws_lambda_alias.live.arn
}

output "newest_version" {
  description = "The version that was published last; set `function_version` to it or to an earlier one."
  value       = aws_lambda_function.this.version
}

output "role_name" {
  description = "Name of the function's role."
  value       = reverse(split("/", local.role_arn))[0]
}

output "role_arn" {
  description = "ARN of the function's role, for key policies and for policies in other accounts."
  value       = local.role_arn
}

output "role_policies" {
  description = "The policies that the function's role needs, as JSON by name; attach them to a given `role`."
  value       = { repoint = local.policy, lambda = local.own_policy }
}

output "trigger_topic_arn" {
  description = "ARN of the topic that Patroni's callbacks publish to: `callback.sns_topic_arn`."
  value       = local.trigger_topic_arn
  depends_on  = [aws_sns_topic.this]
}

output "alert_topic_arn" {
  description = "ARN of the topic of alerts and alarms: `alerts.sns_topic_arn`."
  value       = local.alert_topic_arn
  depends_on  = [aws_sns_topic.this]
}

output "table_name" {
  description = "Name of the state table: `state.dynamodb_table`."
  value       = local.table_name
  depends_on  = [aws_dynamodb_table.this]
}

output "failure_queue_arn" {
  description = "ARN of the queue of finally failed invocations."
  value       = local.failure_queue_arn
  depends_on  = [aws_sqs_queue.failures]
}

output "security_group_id" {
  description = "Id of the function's security group, to be allowed on Patroni's port; null outside a VPC."
  value       = one(aws_security_group.function[*].id)
}

output "log_group_name" {
  description = "Name of the log group: `aws logs tail …`."
  value       = aws_cloudwatch_log_group.function.name
}

output "schedule_group_name" {
  description = "Name of the schedule group."
  value       = aws_scheduler_schedule_group.this.name
}

output "alarm_names" {
  description = "Names of the alarms."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name], aws_cloudwatch_metric_alarm.no_success[*].alarm_name)
}

output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}
