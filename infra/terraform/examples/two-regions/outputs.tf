output "writer" {
  description = "Host name for applications: port 5000 for writes and 5001 for reads through HAProxy, 5432 for writes without it."
  value       = "writer.db.example.internal"
}

output "first" {
  description = "What was made in the first Region."
  value       = module.first
}

output "second" {
  description = "What was made in the second Region."
  value       = module.second
}

output "zone_id" {
  description = "Id of the zone."
  value       = aws_route53_zone.this.zone_id
}
