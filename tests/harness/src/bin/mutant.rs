//! `parlour-mutant`: the server with a fault on purpose, for testing the checker.

fn main() -> std::process::ExitCode {
    parlour_server::cli::main()
}
