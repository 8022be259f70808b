"""What an architecture is judged by: costs as metrics, and hypervolume of Pareto fronts."""
