"""The network in coefficient form: coefficients, engines, fired sets, losses, prediction."""
