"""What accuracy costs: sweeps over settings, their frontier with uncertainty, what-if prices, forecasts."""
