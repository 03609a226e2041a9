//! The unprivileged process: strategies and risk
