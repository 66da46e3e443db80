output "arn" {
  description = "ARN of the group, for `repoint.toml` and for the listener that forwards to it."
  value       = aws_lb_target_group.this.arn
}

output "name" {
  description = "Name of the group."
  value       = aws_lb_target_group.this.name
}
