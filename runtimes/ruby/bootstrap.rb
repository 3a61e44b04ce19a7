# frozen_string_literal: true

# Starts the client. Paths of the function's stack traces end where this folder begins.
require_relative 'lib/lambkin_client'

Lambkin.wait_parked
Lambkin.main
