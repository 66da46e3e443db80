locals {
  # Of a warm group the NLB chooses, by asking Patroni. Of the others repoint does, and the check shall only say that
  # somebody listens: a REST API that is slow for some seconds must not take the one registered primary away, and a
  # group at weight 0 that fails its check turns an alias with `EvaluateTargetHealth` against the whole load balancer.
  asks_patroni = var.strategy == "warm"
}

resource "aws_lb_target_group" "this" {
  name        = var.name
  vpc_id      = var.vpc_id
  target_type = var.target_type
  protocol    = "TCP"
  port        = var.port
  tags        = var.tags

  # The fastest that an NLB takes: 2 × 5 s until a target counts as healthy, or as not.
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

  # Who was the primary gets no long farewell: its sessions could only read.
  deregistration_delay   = var.deregistration_delay_seconds
  connection_termination = true

  target_health_state {
    enable_unhealthy_connection_termination = true
  }

  # A writer stands in one Availability Zone. Without this the load balancer's addresses in the others lead nowhere.
  load_balancing_cross_zone_enabled = "true"

  # Or a node that connects to the writer's endpoint and is the writer would wait for an answer from itself in vain.
  preserve_client_ip = "false"

  lifecycle {
    precondition {
      condition     = var.role == "writer" || var.strategy != "weighted"
      error_message = "A weighted group is one member's, behind a writer's listener. Give `role = \"writer\"`, or another `strategy`."
    }
  }
}
