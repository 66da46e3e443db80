variable "region" {
  description = "Where everything is made."
  type        = string
  default     = "us-east-1"
}

variable "zip" {
  description = "The function's zip: `cargo lambda build --release --output-format zip --package repoint-lambda`."
  type        = string
  default     = "../../../../target/lambda/bootstrap/bootstrap.zip"
}

variable "architecture" {
  description = "What the zip was built for."
  type        = string
  default     = "x86_64"
}

variable "members" {
  description = "Patroni's members, where the configuration says otherwise."
  type        = list(string)
  default     = ["http://10.90.0.11:8008", "http://10.90.1.11:8008"]
}

variable "triggers_enabled" {
  description = "With `false` everything is made and nothing calls the function."
  type        = bool
  default     = true
}
