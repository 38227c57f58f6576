"""Figures of plotly, matplotlib and Bokeh as values to log."""
