output "arn" {
  description = "For `repoint.toml`, and for the listener that forwards to it."
  value       = aws_lb_target_group.this.arn
}

output "name" {
  description = "The group's name."
  value       = aws_lb_target_group.this.name
}
