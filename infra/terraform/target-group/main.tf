locals {
  # In a warm group the NLB chooses the target through Patroni's health check. In the others repoint chooses it, and
  # the check only confirms that PostgreSQL listens: a REST API that is slow for some seconds must not remove the only
  # registered primary, and a group at weight 0 with a failed check makes an alias with `EvaluateTargetHealth` treat
  # the whole load balancer as unhealthy.
  asks_patroni = var.strategy == "warm"
}

resource "aws_lb_target_group" "this" {
  name        = var.name
  vpc_id      = var.vpc_id
  target_type = var.target_type
  protocol    = "TCP"
  port        = var.port
  tags        = var.tags

  # The fastest check of an NLB: 2 × 5 s until a target counts as healthy or unhealthy.
  health_check {
    protocol            = local.asks_patroni ? "HTTP" : "TCP"
    port                = local.asks_patroni ? tostring(var.patroni_port) : "traffic-port"
    path                = local.asks_patroni ? (var.role == "writer" ? "/primary" : "/replica") : null
    matcher             = local.asks_patroni ? "200" : null
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  # A former primary needs no long deregistration delay: its sessions could only read.
  deregistration_delay   = var.deregistration_delay_seconds
  connection_termination = true

  target_health_state {
    enable_unhealthy_connection_termination = true
  }

  # A writer is in one Availability Zone. Without this the load balancer's addresses in the other zones lead nowhere.
  load_balancing_cross_zone_enabled = "true"

  # Otherwise a node that connects to the writer's endpoint and is the writer itself would time out.
  preserve_client_ip = "false"

  lifecycle {
    precondition {
      condition     = var.role == "writer" || var.strategy != "weighted"
      error_message = "A weighted group belongs to one member behind a writer's listener. Set `role = \"writer\"`, or another `strategy`."
    }
  }
}
