variable "name" {
  description = "The group's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", var.name))
    error_message = "A target group's name has up to 32 letters, digits and hyphens, and a hyphen at neither end."
  }
}

variable "vpc_id" {
  description = "The VPC of the load balancer."
  type        = string
}

variable "strategy" {
  description = "As in `repoint.toml`: `exclusive`, `warm` or `weighted`. It decides what the health check asks."
  type        = string
  default     = "exclusive"

  validation {
    condition     = contains(["exclusive", "warm", "weighted"], var.strategy)
    error_message = "`strategy` is `exclusive`, `warm` or `weighted`, as in repoint.toml."
  }
}

variable "role" {
  description = "As in `repoint.toml`: `writer` or `reader`."
  type        = string
  default     = "writer"

  validation {
    condition     = contains(["writer", "reader"], var.role)
    error_message = "`role` is `writer` or `reader`, as in repoint.toml."
  }
}

variable "target_type" {
  description = "`ip` registers members' addresses, `instance` the EC2 instances that have them."
  type        = string
  default     = "ip"

  validation {
    condition     = contains(["ip", "instance"], var.target_type)
    error_message = "`target_type` is `ip` or `instance`."
  }
}

variable "port" {
  description = "PostgreSQL's port, or that of the pooler in front of it."
  type        = number
  default     = 5432

  validation {
    condition     = var.port >= 1 && var.port <= 65535
    error_message = "`port` is from 1 to 65535."
  }
}

variable "patroni_port" {
  description = "The port of Patroni's REST API, which a warm group's health check asks."
  type        = number
  default     = 8008

  validation {
    condition     = var.patroni_port >= 1 && var.patroni_port <= 65535
    error_message = "`patroni_port` is from 1 to 65535."
  }
}

variable "deregistration_delay_seconds" {
  description = "How long the connections to a target that left may go on. They are then cut."
  type        = number
  default     = 5

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600
    error_message = "`deregistration_delay_seconds` is from 0 to 3600."
  }
}

variable "tags" {
  description = "The group's tags."
  type        = map(string)
  default     = {}
}
