"""What an architecture is judged by: costs as metrics, and Pareto fronts."""
