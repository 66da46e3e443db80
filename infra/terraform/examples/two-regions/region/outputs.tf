output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Subnets for the database nodes."
  value       = aws_subnet.private[*].id
}

output "route_table_id" {
  description = "Id of the subnets' route table."
  value       = aws_route_table.private.id
}

output "database_security_group_id" {
  description = "Id of the security group for the database nodes."
  value       = aws_security_group.database.id
}

output "load_balancer" {
  description = "DNS name of the load balancer, and the zone of that name."
  value       = { dns_name = aws_lb.this.dns_name, zone_id = aws_lb.this.zone_id }
}

output "writer_alarm_name" {
  description = "Name of the alarm that the name's health check follows."
  value       = aws_cloudwatch_metric_alarm.writer.alarm_name
}

output "target_group_arn" {
  description = "ARN of the target group with every member."
  value       = module.writer.arn
}

output "haproxy" {
  description = "The HAProxies."
  value       = module.haproxy
}

output "configuration" {
  description = "The function's configuration with the created resources, for `repoint plan` and for the callbacks on this Region's nodes."
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
  description = "ARN of the topic that the callbacks of this Region's nodes publish to."
  value       = module.repoint.trigger_topic_arn
}

output "alert_topic_arn" {
  description = "ARN of the topic of this Region's alerts."
  value       = module.repoint.alert_topic_arn
}
