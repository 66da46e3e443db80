output "configuration" {
  description = "The configuration with the created resources, for `repoint plan` and for the callbacks on the nodes."
  value       = local.configuration
}

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

output "alert_topic_arn" {
  description = "ARN of the topic of alerts."
  value       = module.repoint.alert_topic_arn
}

output "target_group_arn" {
  description = "ARN of the writer's target group."
  value       = module.writer.arn
}

output "zone_id" {
  description = "Id of the zone."
  value       = aws_route53_zone.this.zone_id
}

output "subnet_ids" {
  description = "Subnets for the database nodes."
  value       = aws_subnet.private[*].id
}

output "database_security_group_id" {
  description = "Id of the security group for the database nodes."
  value       = aws_security_group.database.id
}

output "writer" {
  description = "Host name for applications."
  value       = aws_route53_record.writer.fqdn
}
