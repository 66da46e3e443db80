# One name for clients, which leads them to the load balancer of their own Region. Nothing here changes at a failover: Route
# 53's servers choose, without its control plane.

resource "aws_route53_zone" "this" {
  provider = aws.first

  name = "db.example.internal"
  # The functions add records, which need not be deleted first.
  force_destroy = true

  vpc {
    vpc_id     = module.first.vpc_id
    vpc_region = var.first.region
  }

  vpc {
    vpc_id     = module.second.vpc_id
    vpc_region = var.second.region
  }
}

resource "aws_route53_record" "writer" {
  provider = aws.first
  for_each = { first = module.first, second = module.second }

  zone_id         = aws_route53_zone.this.zone_id
  name            = "writer.db.example.internal"
  type            = "A"
  set_identifier  = local.regions[each.key].region
  health_check_id = aws_route53_health_check.writer[each.key].id

  latency_routing_policy {
    region = local.regions[each.key].region
  }

  # Not the load balancer's own health: that is bad as soon as one of its target groups is, such as that of readers.
  alias {
    name                   = each.value.load_balancer.dns_name
    zone_id                = each.value.load_balancer.zone_id
    evaluate_target_health = false
  }
}

# Route 53's checkers are outside of the networks, so they follow an alarm: HAProxy in that Region has no primary, or is gone.
# If neither Region has one, Route 53 answers as if both were healthy.
resource "aws_route53_health_check" "writer" {
  provider = aws.first
  for_each = { first = module.first, second = module.second }

  type                            = "CLOUDWATCH_METRIC"
  cloudwatch_alarm_name           = each.value.writer_alarm_name
  cloudwatch_alarm_region         = local.regions[each.key].region
  insufficient_data_health_status = "Unhealthy"
  tags                            = { Name = "repoint-example-${each.key}" }
}
