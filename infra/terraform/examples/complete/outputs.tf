output "configuration" {
  description = "The configuration with what was made, for `repoint plan` and for the callbacks on the nodes."
  value       = local.configuration
}

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

output "alert_topic_arn" {
  description = "Where people subscribe."
  value       = module.repoint.alert_topic_arn
}

output "target_group_arn" {
  description = "The writer's group."
  value       = module.writer.arn
}

output "zone_id" {
  description = "The zone."
  value       = aws_route53_zone.this.zone_id
}

output "subnet_ids" {
  description = "Where the database nodes go."
  value       = aws_subnet.private[*].id
}

output "database_security_group_id" {
  description = "The security group of the database nodes."
  value       = aws_security_group.database.id
}

output "writer" {
  description = "What applications connect to."
  value       = aws_route53_record.writer.fqdn
}
