//! A server and its clients on a runtime of several threads: tasks, channels, timers, sockets, blocking work.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot};

async fn serve(listener: TcpListener, clients: usize) {
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (mut stream, _) = listener.accept().await.unwrap();
        tasks.push(tokio::spawn(async move {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            stream.write_all(text.to_uppercase().as_bytes()).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn ask(port: u16, number: usize) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("hello {number}").repeat(100).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HELLO"));
    answer.len()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener, 50));
    let clients: Vec<_> = (0..50).map(|number| tokio::spawn(ask(port, number))).collect();
    let mut bytes = 0;
    for client in clients {
        bytes += client.await.unwrap();
    }
    server.await.unwrap();

    let (sender, mut receiver) = mpsc::channel(8);
    let total = std::sync::Arc::new(Mutex::new(0));
    for number in 0..20u64 {
        let (sender, total) = (sender.clone(), total.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(number % 5)).await;
            let (reply, answer) = oneshot::channel();
            sender.send((number, reply)).await.unwrap();
            *total.lock().await += answer.await.unwrap();
            drop(sender);
        });
    }
    drop(sender);
    while let Some((number, reply)) = receiver.recv().await {
        let square = tokio::task::spawn_blocking(move || vec![number; number as usize].iter().sum::<u64>());
        reply.send(square.await.unwrap()).unwrap();
    }
    let gone = tokio::spawn(async { panic!("caught") }).await.is_err();
    println!("{bytes} bytes, {}", if gone { "one panic" } else { "no panic" });
}
